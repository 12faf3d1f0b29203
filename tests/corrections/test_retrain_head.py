"""retrain_head: balanced draws, the folded head, the chosen strength, and what it is good for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tasks import assert_same, choice_of, first_task, head_of, learn, of_backbone, run, state

from tfcil.classifier import LOGITS
from tfcil.corrections.retrain_head import (
    STRENGTHS,
    UNCHOSEN,
    Options,
    balanced_loss,
    balanced_subset,
    chosen_strength,
    images_per_class,
    refitted_head,
    source_features,
)
from tfcil.corrections.shared.logistic import fit_logistic
from tfcil.errors import UserError
from tfcil.training.train import Training

SOURCES = ("memory", "memory+new", "held_out")


def rng(seed=0):
    return np.random.default_rng(seed)


def clouds(counts, size=4, distance=1.0, seed=0):
    """Features around a centre per class, and the labels."""
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = distance * rng(seed).normal(size=(len(counts), size))
    return centres[labels] + rng(seed + 1).normal(size=(len(labels), size)), labels


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(1, 9), min_size=2, max_size=5), size=st.integers(1, 9))
def test_every_class_comes_equally_often_in_every_draw(counts, size):
    """One with too few repeats its own, none before all have come."""
    labels = np.repeat(np.arange(len(counts)), counts)
    for seed in range(3):
        chosen = balanced_subset(labels, size, rng(seed))
        assert np.bincount(labels[chosen]).tolist() == [size] * len(counts)
        for label, count in enumerate(counts):
            own, times = np.unique(chosen[labels[chosen] == label], return_counts=True)
            assert len(own) == min(count, size)
            assert np.ptp(times) <= 1


def test_a_draw_is_as_large_as_an_old_class_or_the_smallest_one():
    labels = np.repeat([0, 1, 2], [3, 2, 9])
    assert (images_per_class(labels, num_old=2), images_per_class(labels)) == (3, 2)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_the_folded_head_is_the_scaler_and_the_regression(penalty):
    features, labels = clouds([6, 6, 6])
    features = np.hstack([features * [1, 20, 0.01, 3] + 5, np.full((18, 1), 7.0)])
    options = Options(penalty=penalty, strength=0.5)
    kernel, bias = refitted_head(features, labels, 6, options, rng())
    assert [one.dtype for one in (kernel, bias)] == [np.float32, np.float32]
    standard = (features - features.mean(axis=0)) / np.where(np.arange(5) < 4, features.std(0), 1)
    expected = np.add(
        standard @ (fitted := fit_logistic(standard, labels, 3, penalty, 0.5))[0], fitted[1]
    )
    np.testing.assert_allclose(features @ kernel + bias, expected, atol=1e-4)
    np.testing.assert_array_equal(kernel[4], 0)  # of the feature that never changes


def test_the_head_is_the_mean_over_the_draws():
    """Two draws, one after the other from one generator."""
    features, labels = clouds([4, 9])

    def head(repeats, generator):
        options = Options(strength=1.0, repeats=repeats)
        return np.vstack(refitted_head(features, labels, 4, options, generator))

    together, generator = head(2, rng()), rng()
    apart = [head(1, generator), head(1, generator)]
    assert np.abs(apart[0] - apart[1]).max() > 0.01
    np.testing.assert_allclose(together, np.mean(apart, axis=0), atol=1e-6)


def test_the_same_seed_gives_the_same_head_and_another_one_another():
    features, labels = clouds([4, 9, 5])
    heads = [np.vstack(refitted_head(features, labels, 4, Options(), rng(s))) for s in (3, 3, 4)]
    np.testing.assert_array_equal(heads[0], heads[1])
    assert np.abs(heads[0] - heads[2]).max() > 1e-4


def test_noise_is_met_with_a_strong_penalty_and_clear_classes_with_a_weak_one():
    noise = rng().normal(size=(60, 30)), np.repeat([0, 1], 30)
    clear = clouds([30, 30], distance=3.0)
    strong, weak = (chosen_strength(*one, 30, "l2", rng()) for one in (noise, clear))
    assert strong == STRENGTHS[-1]
    assert weak < 5


def test_nothing_is_chosen_where_every_class_has_one_image():
    features, labels = clouds([1, 1, 1])
    assert chosen_strength(features, labels, 1, "l2", rng()) == UNCHOSEN


def test_the_loss_that_chooses_weighs_classes_equally():
    """Class 0 three times with log 2, class 1 once with log 4; class 2 never."""
    logits = np.log([[1.0, 1, 0.0001], [1, 1, 0.0001], [1, 1, 0.0001], [3, 1, 0.0001]])
    loss = balanced_loss(logits, np.array([0, 0, 0, 1]))
    assert loss == pytest.approx((np.log(2) + np.log(4)) / 2, abs=1e-3)


def test_the_worst_group_gains_where_a_spurious_feature_went_with_the_class():
    """DFR's own case: the trained head relies on it, a head fitted where it tells nothing does not.

    The groups are (class, spurious); in the images to fit on they are equally large.
    """

    def images(share, seed):
        labels = np.repeat([0, 1], 400)
        agrees = rng(seed).uniform(size=800) < share
        spurious = np.where(agrees, labels, 1 - labels)
        signs = 2 * np.stack([labels, spurious], axis=1) - 1
        return signs * [0.8, 2.0] + rng(seed + 1).normal(size=(800, 2)), labels, spurious

    def worst(head, features, labels, spurious):
        right = np.argmax(features @ head[0] + head[1], axis=1) == labels
        return min(right[(labels == y) & (spurious == s)].mean() for y in (0, 1) for s in (0, 1))

    features, labels, _ = images(0.95, 0)
    trained = fit_logistic(features, labels, 2, "l2", 1.0)
    features, labels, _ = images(0.5, 2)
    refitted = refitted_head(features, labels, 400, Options(), rng())
    test = images(0.5, 4)
    assert worst(refitted, *test) > worst(trained, *test) + 0.3


def test_a_head_that_was_trained_on_balanced_classes_hardly_loses():
    features, labels = clouds([40] * 5, size=8)
    test = clouds([200] * 5, size=8)[0], np.repeat(np.arange(5), 200)

    def accuracy(kernel, bias):
        return np.mean(np.argmax(test[0] @ kernel + bias, axis=1) == test[1])

    trained = fit_logistic(features, labels, 5, "l2", 1.0)
    assert (
        accuracy(*refitted_head(features, labels, 40, Options(), rng())) > accuracy(*trained) - 0.02
    )


def of_source(source, **options):
    options |= {"source": source, "held_out": 0.4}
    return run("baseline", "ce", "retrain_head", retrain_head=options)


@pytest.mark.parametrize("source", SOURCES)
def test_the_head_alone_is_another_one_and_nothing_else_is_trained(source):
    found = of_source(source)
    (main,) = found.phases
    after, _ = state(found.student)
    assert_same(of_backbone(after), of_backbone(main.student[1]))
    assert np.abs(head_of(after)[0] - head_of(main.student[1])[0]).max() > 1e-3


@pytest.mark.parametrize(
    ("source", "counts"),
    [
        ("memory", [3] * 7),
        ("memory+new", [3] * 4 + [15] * 3),
        ("held_out", [1] * 4 + [6] * 3),  # 0.4 of them
    ],
)
def test_the_head_is_the_one_fitted_on_the_images_of_the_source(source, counts):
    found = of_source(source, strength=2.0)
    task = found.phases[0].task
    features, labels = source_features(task, found.student, source)
    assert np.bincount(labels).tolist() == counts
    # The generator has drawn the new columns, and the images held out: any draw is as good here.
    size, options = counts[0], Options(strength=2.0, repeats=200)
    head = refitted_head(features, labels, size, options, rng())
    trained = head_of(found.phases[0].student[1])
    now = found.student.get_layer(LOGITS).get_weights()

    def distance(one, other):
        return np.linalg.norm(features @ (one[0] - other[0]) + one[1] - other[1])

    assert distance(head, now) < 0.3 * distance(head, trained)


def test_a_class_without_an_exemplar_is_told_before_any_training(monkeypatch):
    choice = choice_of("baseline", "ce", "retrain_head")
    teacher = first_task(choice)
    monkeypatch.setattr(Training, "__init__", None)
    with pytest.raises(UserError) as error:
        learn(teacher, 1, choice, exemplars=0)
    assert "expected memory of 1 or more per class" in str(error.value)
    assert "Received: no exemplar of 4 classes" in str(error.value)
    assert "\n" not in str(error.value)


def test_the_only_exemplar_of_a_class_is_learned_from_and_fitted_on():
    choice = choice_of("baseline", "ce", "retrain_head", retrain_head={"source": "held_out"})
    found = learn(first_task(choice), 1, choice, exemplars=1)
    task = found.phases[0].task
    assert task.class_counts == (1,) * 4 + (12,) * 3
    assert np.bincount(task.reserved.labels).tolist() == [0] * 4 + [3] * 3
    _, labels = source_features(task, found.student, "held_out")
    assert np.bincount(labels).tolist() == [1] * 4 + [3] * 3


def test_held_out_images_are_neither_trained_on_nor_counted():
    task = of_source("held_out").phases[0].task
    assert task.class_counts == (2,) * 4 + (9,) * 3
    assert np.bincount(task.reserved.labels).tolist() == [1] * 4 + [6] * 3
    for source in ("memory", "memory+new"):
        assert of_source(source).phases[0].task.class_counts == (3,) * 4 + (15,) * 3
