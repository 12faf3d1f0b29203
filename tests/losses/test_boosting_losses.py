"""FOSTER's class weights, rescaled cross-entropy and weighted distillation."""

import warnings

import numpy as np
import pytest
import tensorflow as tf
from formulas import softmax
from gradients import gradient

from tfcil.errors import UserError
from tfcil.losses import (
    effective_number_weights,
    logit_distillation,
    rescaled_crossentropy,
    weighted_distillation,
)

WEIGHTS = [1.5, 1.0, 0.5]


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 3)) * 3


@pytest.mark.parametrize("which", ["beta1", "beta2"])
def test_weights_are_the_official_ones(oracle, which):
    stored = oracle("foster")
    official = stored[f"class_weights_{which}"]
    counts = np.full(len(official), stored["n_per_new"])
    counts[: stored["n_old"]] = stored["n_per_old"]
    found = effective_number_weights(counts, float(stored[which]))
    np.testing.assert_allclose(found, official, rtol=1e-12)


def test_weights_by_hand():
    """beta = 1/2: effective numbers 1 and 3/2, up to a factor."""
    np.testing.assert_allclose(effective_number_weights([1, 2], 0.5), [1.2, 0.8], rtol=1e-12)


def test_weights_at_the_ends_of_beta():
    np.testing.assert_array_equal(effective_number_weights([1, 20, 500], 0), [1, 1, 1])
    found = effective_number_weights([10, 100], 1 - 1e-9)
    np.testing.assert_allclose(found[0] / found[1], 10, rtol=1e-6)


def test_class_without_images_weighs_as_one_with_a_single_image():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = effective_number_weights([0, 1, 500], 0.96)
    np.testing.assert_array_equal(found, effective_number_weights([1, 1, 500], 0.96))


def test_unusable_counts_and_betas_are_refused():
    for counts in ([-1, 2], [np.nan, 1], [], 5):
        with pytest.raises(UserError, match="Received: class_counts="):
            effective_number_weights(counts, 0.9)
    for beta in (-0.1, 1, float("nan")):
        with pytest.raises(UserError, match="Received: beta="):
            effective_number_weights([1, 2], beta)


def test_rescaled_cross_entropy_by_hand():
    """Logits 2 log 2 and log 4 / 2, divided by 2 and 1/2: odds 2 : 4."""
    found = rescaled_crossentropy([0], [[2 * np.log(2.0), np.log(4.0) / 2]], [2, 0.5])
    np.testing.assert_allclose(found, [-np.log(2 / 6)], rtol=1e-6)


def test_equal_weights_are_a_temperature(logits):
    labels = [0, 1, 2, 0]
    expected = -np.log(softmax(logits / 5)[np.arange(4), labels])
    np.testing.assert_allclose(rescaled_crossentropy(labels, logits, [5] * 3), expected, rtol=1e-12)


def test_weighted_distillation_by_hand():
    """T = 2: 3/4, 1/4 weighted 1 : 3 are 1/2, 1/2; against 3/4, 1/4, without T^2."""
    logits = 2 * np.log([[3.0, 1.0]])
    found = weighted_distillation(logits, logits, [0.5, 1.5])
    np.testing.assert_allclose(found, [0.5 * np.log(4 / 3)], rtol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 3.0])
def test_equal_weights_leave_the_distillation_of_logits_without_t_squared(logits, temperature):
    teacher = np.random.default_rng(1).normal(size=(4, 3))
    expected = logit_distillation(teacher, logits, temperature) / temperature**2
    found = weighted_distillation(teacher, logits, [0.7] * 3, temperature)
    np.testing.assert_array_equal(found, expected)


def test_only_the_ratios_of_the_weights_count(logits):
    teacher = np.random.default_rng(1).normal(size=(4, 3))
    expected = weighted_distillation(teacher, logits, WEIGHTS)
    found = weighted_distillation(teacher, logits, np.array(WEIGHTS) * 1e30)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_unequal_weights_pull_an_equal_student_to_the_heavier_classes(logits):
    """The gradient is (softmax(student / T) - weighted teacher) / T: not 0 at equal logits."""
    p = softmax(logits / 2)
    weighted = p * WEIGHTS / (p * WEIGHTS).sum(axis=1, keepdims=True)
    found = gradient(lambda z: weighted_distillation(logits, z, WEIGHTS), logits)
    np.testing.assert_allclose(found, (p - weighted) / 2, rtol=1e-9, atol=1e-12)
    assert (found[:, 0] < 0).all()
    assert (found[:, 2] > 0).all()


def test_weighted_teacher_is_the_minimum_of_weighted_distillation(logits):
    student = logits + 2 * np.log(WEIGHTS)
    np.testing.assert_allclose(weighted_distillation(logits, student, WEIGHTS), 0, atol=1e-15)
    found = gradient(lambda z: weighted_distillation(logits, z, WEIGHTS), student)
    np.testing.assert_allclose(found, 0, atol=1e-15)


def test_extreme_logits_stay_finite():
    z = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], "float32")
    for loss in (
        lambda x: rescaled_crossentropy([0, 0], x, WEIGHTS),
        lambda x: weighted_distillation(-z, x, WEIGHTS),
    ):
        assert np.isfinite(loss(z)).all()
        assert np.isfinite(gradient(loss, z)).all()


def test_half_precision_is_computed_in_float32(logits):
    z = tf.cast(logits, "bfloat16")
    for loss in (
        lambda x: rescaled_crossentropy([0, 1, 2, 0], x, WEIGHTS),
        lambda x: weighted_distillation(-z, x, WEIGHTS),
    ):
        assert loss(z).dtype == tf.float32
        np.testing.assert_array_equal(loss(z), loss(tf.cast(z, "float32")))


def test_unusable_weights_and_temperatures_are_refused(logits):
    for weights in ([1, 1], [1, 0, 1], [1, np.inf, 1], 1.0):
        with pytest.raises(UserError, match="Received: class_weights="):
            rescaled_crossentropy([0, 1, 2, 0], logits, weights)
        with pytest.raises(UserError, match="Received: class_weights="):
            weighted_distillation(logits, logits, weights)
    for temperature in (0, float("nan")):
        with pytest.raises(UserError, match="Received: temperature="):
            weighted_distillation(logits, logits, WEIGHTS, temperature)
