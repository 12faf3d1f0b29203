"""Pull and push of old classes, the length of a gradient, and how far a head moves: by hand."""

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose

from tfcil import classifier
from tfcil.training import ClippedNorm, HeadMovement, LimitedPush


@pytest.fixture
def student():
    """Two features, two old classes and a new one."""
    inputs = keras.Input((1, 1, 2))
    features = keras.layers.Flatten(name="features")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(features))
    return classifier.with_gradients_apart(model, 2)


PULL, PULL_OF_BIAS = np.array([[3.0, 1.0, 7.0], [4.0, 0.0, 8.0]]), np.array([1.0, 2.0, 3.0])
PUSH, PUSH_OF_BIAS = np.array([[0.0, 0.0], [10.0, 0.5]]), np.array([4.0, 6.0])


def limited(student, kappa, push=PUSH, push_of_bias=PUSH_OF_BIAS):
    """The gradients of kernel and bias after the transform, and those of the layer apart."""
    model, apart = student
    transform = LimitedPush(model.get_layer("logits"), apart, kappa)
    assert transform.init(model.trainable_variables) == []
    given = [ops.convert_to_tensor(one) for one in (PULL, PULL_OF_BIAS, push, push_of_bias)]
    found, _ = transform.update(given, [], [], 0)
    return [np.asarray(one) for one in found]


def test_a_push_is_at_most_kappa_times_as_long_as_the_pull(student):
    """|P| = 5, |Q| = 10: half of it; |P| = 1, |Q| = 1/2: all of it. The new class keeps its own."""
    kernel, bias, *rest = limited(student, 1.0)
    assert_allclose(kernel, [[3, 1, 7], [4 + 5, 0.5, 8]])
    assert_allclose(bias, [1 + 2, 2 + 6, 3])
    assert not any(one.any() for one in rest)


def test_with_kappa_0_old_classes_are_moved_by_the_pull_alone(student):
    kernel, bias, *_ = limited(student, 0.0)
    assert_allclose(kernel, PULL)
    assert_allclose(bias, PULL_OF_BIAS)


@pytest.mark.parametrize("kappa", [0.0, 1.0])
def test_without_new_images_nothing_is_limited(student, kappa):
    kernel, bias, *_ = limited(student, kappa, 0 * PUSH, 0 * PUSH_OF_BIAS)
    assert_allclose(kernel, PULL)
    assert_allclose(bias, PULL_OF_BIAS)


@pytest.mark.parametrize(
    ("given", "expected"), [([3.0, 4.0], [0.6, 0.8]), ([0.3, 0.4], [0.3, 0.4]), ([0, 0], [0, 0])]
)
def test_a_gradient_is_clipped_by_its_length_as_a_whole(given, expected):
    gradients = [ops.convert_to_tensor([one], "float32") for one in given]
    found, _ = ClippedNorm(1.0).update(gradients, [], [], 0)
    assert_allclose(np.concatenate(found), expected, rtol=1e-6)


def test_balance_is_the_movement_of_old_classes_by_that_of_new_ones(student):
    """Columns that move by 1, 3 and 4; and nothing before the first step of an epoch."""
    head = student[0].get_layer("logits")
    movement = HeadMovement(head, num_old=2)
    movement.epoch_begins()
    assert movement.told() == {"balance": 0.0}
    head.kernel.assign_add([[1.0, 0.0, 0.0], [0.0, 3.0, 4.0]])
    assert movement.told() == {"balance": pytest.approx(0.5, rel=1e-5)}
    movement.epoch_begins()
    assert movement.told() == {"balance": 0.0}
