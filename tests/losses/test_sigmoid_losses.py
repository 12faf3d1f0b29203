"""iCaRL's binary cross-entropy: values by hand, the replaced targets, extreme logits."""

import numpy as np
import pytest
import tensorflow as tf
from gradients import gradient

from tfcil.errors import UserError
from tfcil.losses import sigmoid_crossentropy


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 5)) * 3


def test_by_hand():
    """Sigmoids 3/4 and 1/2 against targets 1, 0 and 0, 1."""
    z = np.log([[3.0, 1.0]] * 2)
    expected = [-np.log(0.75 * 0.5) / 2, -np.log(0.25 * 0.5) / 2]
    np.testing.assert_allclose(sigmoid_crossentropy([0, 1], z), expected, rtol=1e-12)


def test_targets_of_all_old_classes_are_the_teachers_for_old_and_new_images(logits):
    """The gradient is (sigmoid - target) / classes; an exemplar's own 1 is replaced too."""
    labels, teacher = [0, 2, 3, 4], np.random.default_rng(1).normal(size=(4, 3))
    targets = np.concatenate([sigmoid(teacher), [[0, 0], [0, 0], [1, 0], [0, 1]]], axis=1)
    found = gradient(lambda z: sigmoid_crossentropy(labels, z, teacher), logits)
    np.testing.assert_allclose(found, (sigmoid(logits) - targets) / 5, rtol=1e-9, atol=1e-15)


def test_student_equal_to_its_teacher_stays_on_the_old_classes(logits):
    """Up to rounding: the sigmoid and the slope of softplus are two computations."""
    teacher = logits[:, :3].copy()
    found = gradient(lambda z: sigmoid_crossentropy([0, 1, 3, 4], z, teacher), logits)
    np.testing.assert_allclose(found[:, :3], 0, atol=1e-16)
    assert (found[:, 3:] != 0).all()


def test_value_at_the_teacher_is_the_entropy_of_its_sigmoids(logits):
    p = sigmoid(logits)
    expected = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean(axis=1)
    found = sigmoid_crossentropy([0, 1, 3, 4], logits, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_gradient_reaches_the_teacher(logits):
    teacher = tf.constant(logits[:, :3])
    with tf.GradientTape() as tape:
        tape.watch(teacher)
        value = sigmoid_crossentropy([0, 1, 3, 4], logits, teacher)
    assert tape.gradient(value, teacher) is None


def test_extreme_logits_keep_their_loss_and_gradient():
    z = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], "float32")
    expected = [np.log(2) / 3, (2e4 + np.log(2)) / 3]
    np.testing.assert_allclose(sigmoid_crossentropy([0, 0], z), expected, rtol=1e-6)
    expected = [[0, 0, 1 / 6], [-1 / 3, 1 / 3, 1 / 6]]
    found = gradient(lambda x: sigmoid_crossentropy([0, 0], x), z)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_half_precision_is_computed_in_float32(logits):
    z = tf.cast(logits, "bfloat16")
    found = sigmoid_crossentropy([0, 1, 3, 4], z, z[:, :3])
    exact = tf.cast(z, "float32")
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, sigmoid_crossentropy([0, 1, 3, 4], exact, exact[:, :3]))


def test_student_with_fewer_classes_than_its_teacher_is_refused(logits):
    with pytest.raises(UserError, match=r"Received: y_pred.shape=\(4, 3\)"):
        sigmoid_crossentropy([0, 1, 2, 2], logits[:, :3], logits)
