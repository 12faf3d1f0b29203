"""Stage prepare with `long_tail` and `label_noise`: what is stored, and what never changes."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_params import tiny_params

from tfcil.config.params import Params
from tfcil.data.long_tail import long_tailed_counts
from tfcil.data.store import read_images
from tfcil.errors import UserError
from tfcil.stages.layout import Layout
from tfcil.stages.prepare import prepare

ORDER = [int(label) for label in np.random.RandomState(1).permutation(100)]


def stored(root, *classes, tail=None, noise=None, dataset=None, order=ORDER, **more):
    """Prepares tasks; returns images and labels of each, to train and to test, and class sizes."""
    named = (dataset or {"name": "omniglot100"}) | {"long_tail": tail, "label_noise": noise}
    sections = {"dataset": named, "scenario": {"order": order}} | more
    layout, params = Layout.of(root), Params.of(tiny_params(*classes, memory=0, **sections), "test")
    prepare(layout, params)
    train, test = (
        {key: tuple(map(np.array, read_images(path(key)))) for key in params.tasks}
        for path in (layout.train_images, layout.test_images)
    )
    last = json.loads(layout.seen(list(params.tasks)[-1]).read_text())["seen"]
    return train, test, {one["task"]: one["class_sizes"] for one in last}


def assert_equal(one, other):
    for first, second in zip(one, other, strict=True):
        np.testing.assert_array_equal(first, second)


TAIL = {"ratio": 15, "order": "ordered", "seed": 3}


def test_a_long_tail_thins_out_training_images_and_no_test_image(tmp_path):
    """Of 100 classes with 15 images each; class i keeps floor(15^(1 - i/99)) of them."""
    train, test, sizes = stored(tmp_path / "tail", 60, 40, tail=TAIL)
    whole, whole_test, whole_sizes = stored(tmp_path / "whole", 60, 40)
    counts = [max(1, int(15 ** (1 - rank / 99) + 1e-9)) for rank in range(100)]
    assert [*sizes["00"], *sizes["01"]] == counts
    assert [*whole_sizes["00"], *whole_sizes["01"]] == [15] * 100
    for key, ranks in (("00", range(60)), ("01", range(60, 100))):
        images, labels = train[key]
        assert np.bincount(labels)[list(ranks)].tolist() == [counts[rank] for rank in ranks]
        assert_equal(test[key], whole_test[key])
        pairs = {(image.tobytes(), label) for image, label in zip(*whole[key], strict=True)}
        found = {(image.tobytes(), label) for image, label in zip(images, labels, strict=True)}
        assert found <= pairs


@pytest.mark.parametrize("order", ["ordered", "shuffled"])
def test_one_more_task_changes_no_image_and_no_label_of_another(tmp_path, order):
    noise = {"rate": 0.2}
    one, _, _ = stored(tmp_path / "one", 9, tail=TAIL | {"order": order}, noise=noise)
    two, _, _ = stored(tmp_path / "two", 9, 5, tail=TAIL | {"order": order}, noise=noise)
    assert_equal(one["00"], two["00"])


def test_wrong_labels_are_those_of_the_images_that_are_left(tmp_path):
    """Thinned first, then held out, then mislabelled: the held-out images keep their labels."""
    tail = {"ratio": 5, "seed": 0}  # 15 to 3 images
    both = [
        stored(tmp_path / str(rate), 60, 40, tail=tail, validation=0.2, noise={"rate": rate})
        for rate in (0.0, 0.2)
    ]
    (right, held, sizes), (wrong, held_again, sizes_again) = both
    assert sizes == sizes_again
    left = []
    for key, ranks in (("00", range(60)), ("01", range(60, 100))):
        assert_equal(held[key], held_again[key])
        np.testing.assert_array_equal(right[key][0], wrong[key][0])
        labels, noisy = right[key][1], wrong[key][1]
        assert np.bincount(labels)[list(ranks)].tolist() == sizes[key]
        assert np.count_nonzero(labels != noisy) == round(0.2 * len(labels))
        assert set(noisy) == set(ranks)
        left += np.bincount(np.concatenate([labels, held[key][1]]))[list(ranks)].tolist()
    assert sorted(left, reverse=True) == long_tailed_counts(15, 5, 100).tolist()


@pytest.fixture
def pets(tmp_path):
    """A folder: 2, 8, 4 and 6 training images of ant, bee, cat and dog, and 2 test images each."""
    shade = iter(range(100))
    for name, count in {"ant": 2, "bee": 8, "cat": 4, "dog": 6}.items():
        for part, many in (("train", count), ("test", 2)):
            folder = tmp_path / "images" / part / name
            folder.mkdir(parents=True)
            for number in range(many):
                Image.new("L", (4, 4), next(shade)).save(folder / f"{number}.png")
    return {"name": "folder", "path": str(tmp_path / "images")}


def test_a_folder_is_thinned_out_by_its_largest_class(tmp_path, pets):
    """8, 4, 2, 1 asked for; the largest class is in no task."""
    tail = {"ratio": 8, "order": "ordered"}
    _, test, sizes = stored(
        tmp_path / "one", ["cat"], ["ant", "dog"], tail=tail, dataset=pets, order="natural"
    )
    assert sizes == {"00": [4], "01": [2, 2]}
    assert np.bincount(test["01"][1]).tolist() == [0, 2, 2]


def test_a_wrong_name_is_told_before_images_are_read(tmp_path, pets):
    (tmp_path / "images" / "train" / "bee" / "0.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"did you mean cat\?"):
        stored(tmp_path / "one", ["ct"], tail=TAIL, dataset=pets, order="natural")
    with pytest.raises(UserError, match=r"bee/0\.png of the class bee \(empty file\)"):
        stored(tmp_path / "one", ["cat"], tail=TAIL, dataset=pets, order="natural")


def test_validation_needs_two_images_of_the_smallest_class(tmp_path):
    with pytest.raises(UserError, match="validation: expected two different training images"):
        stored(tmp_path, 100, tail=TAIL, validation=0.1)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"long_tail": {"ratio": 0.5}}, "dataset.long_tail.ratio"),
        ({"long_tail": {}}, "dataset.long_tail.ratio"),
        ({"long_tail": {"ratio": 10, "order": "sorted"}}, "dataset.long_tail.order"),
        ({"label_noise": {"rate": 1}}, "dataset.label_noise.rate"),
        ({"label_noise": {"rate": 0.1, "seed": -1}}, "dataset.label_noise.seed"),
    ],
)
def test_a_wrong_setting_is_told_by_its_key(section, told):
    with pytest.raises(UserError, match=told):
        Params.of(tiny_params(3, dataset={"name": "omniglot100"} | section), "test")
