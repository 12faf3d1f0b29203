"""What `method.loss` means: the balanced softmax in its forms, and where they become one another.

The equivalences: equal counts, a scale, two levels, the coefficient of meta_bsce, the epsilon of
relaxed_bsce.
"""

import numpy as np
import pytest
import tensorflow as tf
from formulas import cross_entropy
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_of_terms import task_of

from tfcil.components.registry import find, names
from tfcil.errors import UserError
from tfcil.training import Batch

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
quickly = settings(max_examples=25, deadline=None)
counts_of_classes = st.lists(st.integers(1, 2000), min_size=2, max_size=8)
seeds = st.integers(0, 10**6)


def sample(seed, num_classes, images=7):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(images, num_classes)).astype("float32") * 4
    return generator.integers(0, num_classes, images), logits


def losses(loss, counts, labels, logits, num_old=1, alpha=1.0, **options):
    """The value of each sample."""
    term = task_of(num_old, counts, loss=loss, **options).classification()
    assert (term.name, term.weight, term.size(labels)) == ("classification", 1, len(labels))
    told = {"alpha": tf.constant(alpha), "weights": tf.ones(len(counts))}
    batch = Batch(tf.constant(labels, "int32"), {"logits": logits}, told=told)
    return term.values(batch).numpy()


def test_two_classes_by_hand():
    """Logits 0 and 0, counts 1 and 3: probabilities 1/4 and 3/4."""
    found = losses("bsce", [1, 3], [0, 1], np.zeros((2, 2), "float32"))
    np.testing.assert_allclose(found, np.log([4, 4 / 3]), rtol=1e-6)


@quickly
@given(counts=counts_of_classes, seed=seeds)
def test_bsce_is_the_cross_entropy_of_logits_shifted_by_the_log_counts(counts, seed):
    labels, logits = sample(seed, len(counts))
    for tau in (1.0, 0.5):
        expected = cross_entropy(labels, logits + tau * np.log(counts))
        found = losses("bsce", counts, labels, logits, tau=tau)
        np.testing.assert_allclose(found, expected, **CLOSE)


@quickly
@given(count=st.integers(1, 2000), num_classes=st.integers(2, 8), seed=seeds)
def test_equal_counts_make_bsce_the_cross_entropy(count, num_classes, seed):
    labels, logits = sample(seed, num_classes)
    expected = losses("ce", [1] * num_classes, labels, logits)
    np.testing.assert_allclose(expected, cross_entropy(labels, logits), **CLOSE)
    for loss in ("bsce", "meta_bsce", "relaxed_bsce"):
        found = losses(loss, [count] * num_classes, labels, logits)
        np.testing.assert_allclose(found, expected, **CLOSE)


@quickly
@given(counts=counts_of_classes, factor=st.integers(2, 30), seed=seeds)
def test_only_the_ratios_of_the_counts_matter(counts, factor, seed):
    labels, logits = sample(seed, len(counts))
    scaled = [factor * count for count in counts]
    for loss in ("bsce", "meta_bsce"):
        expected = losses(loss, counts, labels, logits)
        np.testing.assert_allclose(losses(loss, scaled, labels, logits), expected, **CLOSE)


def test_two_levels_are_one_shift_of_all_old_logits():
    """20 exemplars and 500 images: log 25 = 3.22 off every old logit."""
    labels, logits = sample(3, 5)
    shifted = logits - np.array([np.log(25)] * 3 + [0, 0])
    found = losses("bsce", [20] * 3 + [500] * 2, labels, logits, num_old=3)
    np.testing.assert_allclose(found, cross_entropy(labels, shifted), **CLOSE)


@quickly
@given(counts=counts_of_classes, seed=seeds)
def test_coefficient_1_of_meta_bsce_is_bsce(counts, seed):
    labels, logits = sample(seed, len(counts))
    found = losses("meta_bsce", counts, labels, logits, alpha=1.0)
    np.testing.assert_allclose(found, losses("bsce", counts, labels, logits), **CLOSE)


@quickly
@given(old=st.integers(1, 50), new=st.integers(51, 2000), num_old=st.integers(1, 4), seed=seeds)
def test_coefficient_new_over_old_of_meta_bsce_is_the_cross_entropy(old, new, num_old, seed):
    labels, logits = sample(seed, num_old + 2)
    counts = [old] * num_old + [new] * 2
    found = losses("meta_bsce", counts, labels, logits, num_old, alpha=new / old)
    np.testing.assert_allclose(found, cross_entropy(labels, logits), **CLOSE)


FEWER, MORE = [3, 4, 20, 30, 40], [3000, 4000, 20, 30, 40]


@pytest.mark.parametrize(("alpha", "counts", "same_as"), [(1e-3, MORE, FEWER), (1e3, FEWER, MORE)])
def test_coefficient_multiplies_the_counts_of_old_classes_alone(alpha, counts, same_as):
    labels, logits = sample(4, 5)
    expected = losses("bsce", same_as, labels, logits, num_old=2)
    found = losses("meta_bsce", counts, labels, logits, num_old=2, alpha=alpha)
    np.testing.assert_allclose(found, expected, **CLOSE)


@quickly
@given(new=st.integers(1, 2000), num_old=st.integers(1, 4), seed=seeds)
def test_relaxed_bsce_with_the_new_count_for_epsilon_is_the_cross_entropy(new, num_old, seed):
    labels, logits = sample(seed, num_old + 2)
    counts = [0] * num_old + [new] * 2
    found = losses("relaxed_bsce", counts, labels, logits, num_old, epsilon=new)
    np.testing.assert_allclose(found, cross_entropy(labels, logits), **CLOSE)


def test_relaxed_bsce_of_a_small_epsilon_separates_the_new_classes():
    """New samples are then told from each other only: the limit of a separated softmax."""
    _, logits = sample(5, 6)
    labels = np.array([4, 5, 4, 5, 4, 5, 4])
    found = losses("relaxed_bsce", [0] * 4 + [30] * 2, labels, logits, 4, epsilon=1e-12)
    np.testing.assert_allclose(found, cross_entropy(labels - 4, logits[:, 4:]), **CLOSE)


def test_relaxed_bsce_counts_epsilon_for_classes_without_images_alone():
    labels, logits = sample(6, 3)
    found = losses("relaxed_bsce", [0, 2, 30], labels, logits, epsilon=5.0)
    expected = losses("bsce", [5, 2, 30], labels, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_bsce_of_strength_0_is_ce_also_where_a_class_has_no_image():
    labels, logits = sample(9, 4)
    found = losses("bsce", [0, 0, 7, 7], labels, logits, num_old=2, tau=0.0)
    np.testing.assert_allclose(found, cross_entropy(labels, logits), **CLOSE)


@pytest.mark.parametrize("loss", ["bsce", "meta_bsce"])
def test_a_class_without_images_leaves_the_softmax(loss):
    labels, logits = np.array([1, 2, 1, 2]), sample(7, 3, images=4)[1]
    found = losses(loss, [0, 7, 7], labels, logits)
    np.testing.assert_allclose(found, cross_entropy(labels - 1, logits[:, 1:]), **CLOSE)


def test_a_class_without_images_can_be_refused():
    task = task_of(1, [0, 7, 7])
    find("loss", "bsce").defined("check")(task)
    refusing = find("loss", "bsce", {"zero_count": "error"}).defined("check")
    refusing(task_of(1, [1, 7, 7]))
    with pytest.raises(UserError, match=r"zero_count=mask\. Received: none of class 0"):
        refusing(task)


@pytest.mark.parametrize("loss", [loss for loss in names("loss") if loss != "nca"])
def test_the_values_are_one_finite_number_per_sample(loss):
    labels, logits = sample(9, 4)
    found = losses(loss, [3, 3, 9, 9], labels, logits, num_old=2)
    assert found.shape == (7,)
    assert np.isfinite(found).all()


def test_new_samples_push_old_logits_in_proportion_to_their_count():
    """The mechanism: dL/dz_j = q_j, with q_j in proportion to n_j exp(z_j)."""
    logits = tf.zeros((1, 3))
    slopes = {}
    for old in (1, 100):
        term = task_of(2, [old, old, 100], loss="bsce").classification()
        with tf.GradientTape() as tape:
            tape.watch(logits)
            values = term.values(Batch(tf.constant([2]), {"logits": logits}))
        slopes[old] = tape.gradient(values, logits).numpy()[0]
    np.testing.assert_allclose(slopes[1], [1 / 102, 1 / 102, -2 / 102], rtol=1e-5)
    np.testing.assert_allclose(slopes[100], [1 / 3, 1 / 3, -2 / 3], rtol=1e-5)
