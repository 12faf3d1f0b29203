"""recall@K by hand, against a brute force of whole numbers, and what is refused."""

import tracemalloc

import numpy as np
import pytest
from tiny_params import tiny_params

from tfcil.config.params import Params
from tfcil.errors import UserError
from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.figures import compute_figures
from tfcil.evaluation.measures.recall import SCALE, ranks_of_nearest
from tfcil.exemplars import ExemplarMemory
from tfcil.exemplars.selection import normalize_rows

rng = np.random.default_rng


def recall_of(features, labels, asked, num_old=0):
    """The figures of a model with these features."""
    features, labels = np.asarray(features, np.float32), np.asarray(labels)
    outputs = {"logits": np.zeros((len(labels), 2)), "features": features}
    memory = ExemplarMemory.empty((1, 1, 1))
    evidence = Evidence(lambda images: outputs, labels, labels, memory, num_old)
    return {
        name.removeprefix("recall@"): figure
        for name, figure in compute_figures(evidence, {"recall": asked}).items()
        if name.startswith("recall@")
    }


def directions(*degrees):
    """Features in the plane at these angles, of different lengths: the cosine ignores those."""
    angles = np.deg2rad(degrees)
    lengths = np.arange(1, len(degrees) + 1)[:, None]
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * lengths


def test_recall_by_hand():
    """Angles 0, 10, 25, 27, 90 of classes 0, 1, 0, 1, 0.

    Nearest first: 0: [10, 25]; 10: [0, 25, 27]; 25: [27, 10, 0]; 27: [25, 10]; 90: [27, 25].
    So the first other image of the same class has rank 2, 3, 3, 2 and 2.
    """
    features = directions(0, 10, 25, 27, 90)
    figures = recall_of(features, [0, 1, 0, 1, 0], [1, 2, 3, 4])
    assert [figures[str(k)] for k in (1, 2, 3, 4)] == [0, 0.6, 1, 1]


def test_old_and_new_images_are_searched_apart():
    """Old classes 0, 1 and new class 2; the nearest of each old image is a new one.

    Among the old ones alone, at 0, 4, 40 and 44 degrees, the nearest has the same class.
    """
    features = directions(0, 4, 40, 44, 1, 41)
    figures = recall_of(features, [0, 0, 1, 1, 2, 2], [1], num_old=2)
    assert figures == {"1": 0, "1_old": 1, "1_new": 1}


def test_the_first_task_has_no_old_classes():
    figures = recall_of(directions(0, 5, 90, 91), [0, 0, 1, 1], [1, 2])
    assert figures == {"1": 1, "2": 1, "1_new": 1, "2_new": 1}


def test_an_image_does_not_find_itself():
    """Each is the most similar to itself, and its class has no other image near."""
    figures = recall_of(directions(0, 1, 90, 91), [0, 1, 0, 1], [1])
    assert figures["1"] == 0


def test_of_equal_images_the_first_comes_first():
    """Of images 0, 1, 2, 3 in one direction the first others are 1, 0, 0, 0."""
    same = np.ones((4, 2)) * [[1.0], [3.0], [0.1], [7.0]]
    assert ranks_of_nearest(same, np.array([0, 1, 0, 1])).tolist() == [1, 2, 0, 1]
    assert ranks_of_nearest(same, np.array([0, 0, 1, 1])).tolist() == [0, 0, 2, 2]


def test_a_class_of_one_image_is_a_miss():
    features, labels = directions(0, 1, 2), np.array([0, 0, 1])
    assert ranks_of_nearest(features, labels).tolist() == [0, 0, 3]
    assert recall_of(features, labels, [1, 2])["2"] == pytest.approx(2 / 3)


def test_a_feature_of_zeros_has_cosine_zero_to_all():
    """Image 1: farther from image 0 than image 2, at 45 degrees; nearer than image 3, at 180."""
    features = np.array([[1.0, 0], [0, 0], [1, 1], [-1, 0], [-1, 0.1]])
    assert ranks_of_nearest(features, np.array([0, 0, 1, 1, 2])).tolist() == [1, 0, 3, 2, 5]


def test_recall_is_one_where_each_class_is_a_cluster():
    labels = np.arange(600) % 20
    features = np.eye(20)[labels] + 0.01 * rng(0).normal(size=(600, 20))
    assert set(recall_of(features, labels, [1, 2, 29], num_old=15).values()) == {1}


def test_recall_of_features_that_say_nothing_is_that_of_chance():
    """With 50 images of each of 20 classes one other image has the same class by 49 in 999."""
    features = rng(1).normal(size=(1000, 64))
    figures = recall_of(features, rng(2).permutation(np.arange(1000) % 20), [1])
    assert figures["1"] == pytest.approx(49 / 999, abs=0.025)


def test_recall_never_falls_with_k():
    features, labels = rng(3).normal(size=(200, 5)), rng(4).integers(0, 9, 200)
    figures = recall_of(features, labels, list(range(1, 40)), num_old=5)
    for group in ("", "_old", "_new"):
        curve = [figures[f"{k}{group}"] for k in range(1, 40)]
        assert curve == sorted(curve)
        assert curve[0] < curve[-1]


def brute_force(features, labels):
    """Ranks by Python's own integers and sort: no product of matrices, nothing is rounded."""
    units = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-30)
    units = [[int(entry) for entry in row] for row in np.rint(units * SCALE)]
    ranks = []
    for number, one in enumerate(units):
        others = [other for other in range(len(units)) if other != number]
        cosines = [sum(a * b for a, b in zip(one, unit, strict=True)) for unit in units]
        others.sort(key=lambda other: (-cosines[other], other))
        same = [rank for rank, other in enumerate(others) if labels[other] == labels[number]]
        ranks.append(same[0] if same else len(units))
    return ranks


@pytest.mark.parametrize("block", [1, 7, 60, 256])
def test_blocks_give_what_a_brute_force_gives(block):
    """Features of few values and many equal ones, with a zero: ties are the rule."""
    features = rng(5).integers(-1, 2, (60, 4)).astype(np.float64) * rng(6).uniform(0.1, 9, (60, 1))
    features[17] = 0
    labels = np.append(rng(7).integers(0, 6, 59), 99)
    expected = brute_force(features, labels)
    assert ranks_of_nearest(features, labels, block).tolist() == expected
    assert len(set(expected)) > 8


def test_no_order_of_addition_changes_a_cosine():
    """Permuted columns are added up in another order, which changes a cosine of float64."""
    features = rng(8).normal(size=(300, 257)).astype(np.float32)
    features[150:] = features[:150]
    labels = rng(9).integers(0, 30, 300)
    expected = ranks_of_nearest(features, labels)
    columns, exact = rng(10).permutation(257), normalize_rows(features)
    units = np.rint(exact * SCALE)
    assert (units @ units.T == units[:, columns] @ units[:, columns].T).all()
    assert (exact @ exact.T != exact[:, columns] @ exact[:, columns].T).any()
    np.testing.assert_array_equal(ranks_of_nearest(features[:, columns], labels), expected)


def test_blocks_bound_the_memory():
    """All similarities of 4000 images take 128 MB, those of a block of 64 take 2 MB."""
    features, labels = rng(11).normal(size=(4000, 2)), np.zeros(4000, int)
    tracemalloc.start()
    ranks_of_nearest(features, labels, block=64)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6


@pytest.mark.parametrize(
    ("asked", "received"),
    [
        ([0], "measures.recall=[0]"),
        ([1, 2, 1], "measures.recall=[1, 2, 1]"),
        ([1.5], "measures.recall=[1.5]"),
        ([True], "measures.recall=[True]"),
        (["1"], "measures.recall=['1']"),
        ([], "measures.recall=[]"),
        (1, "measures.recall=1"),
        (None, "measures.recall=None"),
        ({"at": 1}, "measures.recall={'at': 1}"),
    ],
)
def test_another_k_is_refused_in_one_line(asked, received):
    with pytest.raises(UserError) as error:
        Params.of(tiny_params(3, 2, measures={"recall": asked}), "params.yaml")
    expected = "params.yaml: measures: recall: expected a list of distinct integers of 1 or more. "
    assert str(error.value) == f"{expected}Received: {received}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "recal",
            "asked for, recall (did you mean recall?). Received: measures.recal=[1]",
        ),
        ("calibration_error", "Received: measures.calibration_error=[1]"),
    ],
)
def test_a_measure_that_cannot_be_asked_for_is_refused_in_one_line(name, told):
    with pytest.raises(UserError, match="measures: expected measures that must be asked for") as e:
        Params.of(tiny_params(3, 2, measures={name: [1]}), "params.yaml")
    assert told in str(e.value)


def test_a_k_without_as_many_other_images_is_refused_in_one_line():
    features = directions(0, 1, 90, 91, 50)
    assert recall_of(features, [0, 0, 1, 1, 1], [1, 4])["4"] == 1
    with pytest.raises(UserError) as error:
        recall_of(features, [0, 0, 1, 1, 1], [1, 5])
    assert str(error.value) == (
        "measures.recall: expected K below 5, the number of test images. "
        "Received: measures.recall=[1, 5]"
    )
    with pytest.raises(UserError, match="K below 2, the number of old test images"):
        recall_of(features, [0, 0, 1, 1, 1], [1, 2], num_old=1)
