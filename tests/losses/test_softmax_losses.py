"""Plain cross-entropy: values by hand, its gradient, temperatures, labels, extreme logits."""

import numpy as np
import pytest
import tensorflow as tf
from gradients import gradient

from tfcil.errors import UserError
from tfcil.losses import balanced_softmax_crossentropy, softmax_crossentropy

LABELS = np.array([0, 2, 1, 4])


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 5)) * 3


def test_by_hand():
    """Odds 3 : 1; at temperature 2 their roots, sqrt(3) : 1."""
    z = np.log([[3.0, 1.0]] * 2)
    found = softmax_crossentropy([0, 1], z)
    np.testing.assert_allclose(found, [-np.log(3 / 4), -np.log(1 / 4)], rtol=1e-12)
    root = 3**0.5
    found = softmax_crossentropy([0, 1], z, temperature=2.0)
    np.testing.assert_allclose(found, [-np.log(root / (root + 1)), np.log(root + 1)], rtol=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 5.0])
def test_gradient_is_the_softmax_minus_the_target_over_the_temperature(logits, temperature):
    exponentials = np.exp(logits / temperature)
    softmax = exponentials / exponentials.sum(axis=1, keepdims=True)
    expected = (softmax - np.eye(5)[LABELS]) / temperature
    found = gradient(lambda z: softmax_crossentropy(LABELS, z, temperature), logits)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_it_is_the_balanced_softmax_of_equal_counts(logits):
    expected = balanced_softmax_crossentropy(LABELS, logits, [7] * 5)
    np.testing.assert_allclose(softmax_crossentropy(LABELS, logits), expected, rtol=1e-12)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32"])
def test_labels_of_every_shape_and_type(logits, shape, dtype):
    found = softmax_crossentropy(LABELS.reshape(shape).astype(dtype), logits)
    assert found.shape == (4,)
    np.testing.assert_array_equal(found, softmax_crossentropy(LABELS, logits))


def test_extreme_logits_keep_their_loss_and_gradient():
    z = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 1e4], [1e4, 1e4, 1e4]], "float32")

    def loss(x):
        return softmax_crossentropy([1, 1, 0], x)

    np.testing.assert_allclose(loss(z), [2e4, np.log(2), np.log(3)], rtol=1e-6)
    expected = [[1, -1, 0], [0, -1 / 2, 1 / 2], [-2 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(gradient(loss, z), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(logits, dtype):
    z = tf.cast(logits, dtype)
    found = softmax_crossentropy(LABELS, z, temperature=3.0)
    assert found.dtype == tf.float32
    exact = softmax_crossentropy(LABELS, tf.cast(z, "float32"), temperature=3.0)
    np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan"), float("inf"), "2", None, True])
def test_unusable_temperature_is_refused(logits, temperature):
    with pytest.raises(UserError, match=r"^temperature must be .*Received: temperature="):
        softmax_crossentropy(LABELS, logits, temperature)


def test_one_hot_labels_are_refused(logits):
    with pytest.raises(UserError, match=r"Received: y_true.shape=\(4, 5\)"):
        softmax_crossentropy(np.eye(5)[LABELS], logits)


def test_smoothing_gives_a_part_of_the_target_to_all_classes():
    """log-softmax of [2, 1, 0] is [-0.4076, -1.4076, -2.4076]."""
    (found,) = np.array(softmax_crossentropy([0], [[2.0, 1.0, 0.0]], label_smoothing=0.3))
    assert found == pytest.approx(0.7 * 0.4076 + 0.3 * 1.4076, abs=1e-4)


def test_smoothing_of_a_balanced_softmax_follows_the_counts():
    """Counts 3 and 1, equal logits: probabilities 3/4 and 1/4, and so is the smooth target."""
    (found,) = np.array(
        balanced_softmax_crossentropy([1], [[0.0, 0.0]], [3, 1], label_smoothing=0.2)
    )
    entropy = -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    assert found == pytest.approx(0.8 * np.log(4) + 0.2 * entropy, abs=1e-6)


def test_smoothing_of_equal_counts_is_that_of_the_plain_softmax():
    labels, logits = [0, 2], [[2.0, 1.0, 0.0], [0.3, -1.0, 0.5]]
    plain = softmax_crossentropy(labels, logits, label_smoothing=0.1)
    balanced = balanced_softmax_crossentropy(labels, logits, [7] * 3, label_smoothing=0.1)
    np.testing.assert_allclose(np.array(balanced), np.array(plain), rtol=1e-6)


def test_smoothing_leaves_a_masked_class_alone():
    labels, logits = [0], [[2.0, 1.0, 50.0]]
    masked = balanced_softmax_crossentropy(labels, logits, [5, 1, 0], label_smoothing=0.1)
    without = balanced_softmax_crossentropy(labels, [[2.0, 1.0]], [5, 1], label_smoothing=0.1)
    np.testing.assert_allclose(np.array(masked), np.array(without), rtol=1e-5)
