"""Generalised cross-entropy and the Jeffries-Matusita distance: what they are, and their slopes."""

import numpy as np
import pytest
import tensorflow as tf
from formulas import softmax
from gradients import gradient

from tfcil import losses
from tfcil.errors import UserError

COUNTS = [5, 50, 500]


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    return generator.integers(0, 3, 20), generator.normal(size=(20, 3)) * 3


def of_own_class(labels, probabilities):
    return probabilities[np.arange(len(labels)), labels]


def test_three_logits_by_hand():
    """Probabilities 1/2, 1/4, 1/4: 1 - sqrt(1/2), and (1 - 1/4^0.5) / 0.5 = 1, 1 - 1/4."""
    logits = np.log([[2.0, 1.0, 1.0]])
    assert losses.reduced_jeffries_matusita([0], logits).numpy() == pytest.approx([1 - 0.5**0.5])
    assert losses.generalized_crossentropy([1], logits, 0.5).numpy() == pytest.approx([1.0])
    assert losses.generalized_crossentropy([2], logits, 1.0).numpy() == pytest.approx([0.75])


@pytest.mark.parametrize("counts", [None, COUNTS])
def test_rjm_is_the_squared_hellinger_distance_and_half_of_gce(sample, counts):
    labels, logits = sample
    probabilities = softmax(logits + (np.log(counts) if counts else 0))
    hellinger = ((np.eye(3)[labels] - np.sqrt(probabilities)) ** 2).sum(axis=1) / 2
    found = losses.reduced_jeffries_matusita(labels, logits, counts).numpy()
    np.testing.assert_allclose(found, hellinger, rtol=1e-12)
    half = losses.generalized_crossentropy(labels, logits, 0.5, counts).numpy() / 2
    np.testing.assert_allclose(found, half, rtol=1e-12)


def test_a_small_q_is_the_cross_entropy(sample):
    labels, logits = sample
    found = losses.generalized_crossentropy(labels, logits, 1e-9).numpy()
    np.testing.assert_allclose(found, losses.softmax_crossentropy(labels, logits), rtol=1e-6)


def test_the_slope_is_that_of_the_cross_entropy_times_the_root_and_at_most_0_19245(sample):
    labels, logits = sample
    probabilities = softmax(logits)
    root = np.sqrt(of_own_class(labels, probabilities))[:, None]
    expected = -0.5 * root * (np.eye(3)[labels] - probabilities)
    found = gradient(lambda z: losses.reduced_jeffries_matusita(labels, z), logits)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    assert np.abs(of_own_class(labels, found)).max() <= 0.19246
    steepest = gradient(lambda z: losses.reduced_jeffries_matusita([0], z), np.zeros((1, 3)))
    assert -steepest[0, 0] == pytest.approx(0.19245, abs=1e-5)


@pytest.mark.parametrize("counts", [None, COUNTS])
def test_gaps_of_1e4_are_finite(counts):
    logits = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], "float32")
    for loss in (losses.generalized_crossentropy, losses.reduced_jeffries_matusita):

        def value(z, loss=loss):
            return loss([0, 0], z, class_counts=counts)

        assert np.isfinite(value(tf.constant(logits))).all()
        assert np.isfinite(gradient(value, logits)).all()


@pytest.mark.parametrize("q", [0, 1.1, -0.5, "0.5", None, True])
def test_a_q_out_of_range_is_told_in_one_line(q):
    with pytest.raises(UserError, match=r"^q must be .* Received: q="):
        losses.generalized_crossentropy([0], np.zeros((1, 2)), q)
