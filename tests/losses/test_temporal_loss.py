"""Temporal-adjusted cross-entropy: weights of wrong answers, by hand and at their limits."""

import numpy as np
import pytest
import tensorflow as tf
from formulas import cross_entropy
from gradients import gradient

from tfcil import losses


def test_three_classes_by_hand():
    """Logits of 0: 1 + 1/2 + 0 in the denominator of class 0, 1 + 2 + 0 in that of class 1."""
    found = losses.temporal_adjusted_crossentropy([0, 1, 2], np.zeros((3, 3)), [2.0, 0.5, 0.0])
    np.testing.assert_allclose(found, np.log([1.5, 3.0, 3.5]), rtol=1e-12)


def test_weights_of_one_are_the_cross_entropy_also_of_large_logits():
    generator = np.random.default_rng(0)
    labels, logits = generator.integers(0, 4, 9), generator.normal(size=(9, 4))
    for scale in (1.0, 1e4):
        found = losses.temporal_adjusted_crossentropy(labels, logits * scale, np.ones(4))
        np.testing.assert_allclose(found, cross_entropy(labels, logits * scale), rtol=1e-6)


def test_a_class_of_weight_0_is_not_pushed_down():
    logits = np.array([[0.3, 5.0, -1.0]])
    found = gradient(
        lambda z: losses.temporal_adjusted_crossentropy([0], z, [1.0, 0.0, 1.0]), logits
    )
    assert found[0, 1] == 0
    assert found[0, 2] > 0
    assert found.sum() == pytest.approx(0, abs=1e-12)


def test_it_compiles_with_weights_that_change():
    compiled = tf.function(losses.temporal_adjusted_crossentropy)
    logits = tf.zeros((1, 2))
    for weights, expected in (([1.0, 1.0], 2), ([1.0, 3.0], 4)):
        found = compiled(tf.constant([0]), logits, tf.constant(weights))
        np.testing.assert_allclose(found, [np.log(expected)], rtol=1e-6)
