"""The coefficient of meta_bsce: the gradient through the virtual step, and where it leads."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from formulas import softmax
from loss_of_terms import task_of

from tfcil.classification.meta_bsce import Options
from tfcil.classification.shared.coefficient import LearnedCoefficient, meta_gradient
from tfcil.layers import CosineDense, LocalSimilarity
from tfcil.layers.draws import Augmentation
from tfcil.training.phase import Preparation

NUM_OLD, NUM_NEW, DIMENSION = 3, 2, 4
COUNTS = (2, 3, 2, 20, 30)
RATE = 0.7
HEADS = {
    "linear": lambda: keras.layers.Dense(NUM_OLD + NUM_NEW, dtype="float64"),
    "cosine": lambda: CosineDense(NUM_OLD + NUM_NEW, dtype="float64"),
    "local_similarity": lambda: LocalSimilarity(NUM_OLD + NUM_NEW, 3, dtype="float64"),
}


def built(kind):
    """A head in float64 whose weights are all drawn, also the bias and the scale."""
    head, generator = HEADS[kind](), np.random.default_rng(3)
    head.build((None, DIMENSION))
    head.set_weights([generator.normal(size=one.shape) + 1 for one in head.get_weights()])
    return head


def samples(seed, images=9):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(images, DIMENSION))
    return features, generator.integers(0, NUM_OLD + NUM_NEW, images).astype("int32")


def errors(logits, labels):
    """The slope of the mean cross-entropy by the logits."""
    return (softmax(logits) - np.eye(NUM_OLD + NUM_NEW)[labels]) / len(labels)


def shift(log_alpha, tau=1.0):
    is_old = np.arange(NUM_OLD + NUM_NEW) < NUM_OLD
    return tau * (np.log(COUNTS) + log_alpha * is_old)


def gradient(head, log_alpha, batch, balanced, tau=1.0):
    tensors = [
        (tf.constant(features), tf.constant(labels)) for features, labels in (batch, balanced)
    ]
    task = task_of(NUM_OLD, COUNTS)
    found = meta_gradient(tf.constant(log_alpha, "float64"), head, *tensors, RATE, task, tau)
    assert found.dtype == tf.float64
    return float(found)


@pytest.mark.parametrize("log_alpha", [0.0, -1.5, 2.0])
@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_linear_head_has_the_closed_form(log_alpha, tau):
    """dL/da = -rho <dL_meta/dW', dG/da>, with dq_j/da = tau q_j (1[j old] - sum of old q)."""
    head, batch, balanced = built("linear"), samples(1), samples(2)
    kernel, bias = head.get_weights()
    (h, labels), (h_balanced, labels_balanced) = batch, balanced
    shifted = h @ kernel + bias + shift(log_alpha, tau)
    moved = kernel - RATE * h.T @ errors(shifted, labels)
    moved_bias = bias - RATE * errors(shifted, labels).sum(axis=0)
    q = softmax(shifted)
    is_old = np.arange(NUM_OLD + NUM_NEW) < NUM_OLD
    dq = tau * q * (is_old - q[:, :NUM_OLD].sum(axis=1, keepdims=True)) / len(labels)
    outer = errors(h_balanced @ moved + moved_bias, labels_balanced)
    expected = -RATE * np.sum(h_balanced.T @ outer * (h.T @ dq))
    expected -= RATE * np.sum(outer.sum(axis=0) * dq.sum(axis=0))
    assert abs(expected) > 1e-3
    found = gradient(head, log_alpha, batch, balanced, tau)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("log_alpha", [0.0, -1.5])
def test_every_head_has_the_slope_of_finite_differences(kind, log_alpha):
    """Both steps are taken apart, with one tape each."""
    head, batch, balanced = built(kind), samples(1), samples(2)

    def loss_after_a_step(log_alpha):
        with tf.GradientTape() as tape:
            inner = cross_entropy(head(batch[0]) + shift(log_alpha), batch[1])
        values = [variable.value for variable in head.trainable_variables]
        moved = [
            value - RATE * slope
            for value, slope in zip(values, tape.gradient(inner, values), strict=True)
        ]
        return float(cross_entropy(head.stateless_call(moved, [], balanced[0])[0], balanced[1]))

    step = 1e-5
    expected = loss_after_a_step(log_alpha + step) - loss_after_a_step(log_alpha - step)
    expected /= 2 * step
    assert abs(expected) > 1e-4
    found = gradient(head, log_alpha, batch, balanced)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def cross_entropy(logits, labels):
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def test_the_head_itself_does_not_move():
    head = built("linear")
    before = head.get_weights()
    gradient(head, 0.0, samples(1), samples(2))
    for value, kept in zip(head.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


# A model whose features are its three pixels. Pixel 0 lights up in old images and pixel 1 in new
# ones; class 0 is old, class 1 new.
OLD, NEW = (255, 0, 128), (0, 255, 128)


def pixels(*rows):
    return np.array(rows, "uint8").reshape(-1, 1, 3, 1)


def coefficient(bias, images, labels, **options):
    """A coefficient on a head that finds the old class in pixel 0, the new one in pixel 1."""
    inputs = keras.Input((1, 3, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    features = keras.layers.Flatten(name="features")(x)
    head = keras.layers.Dense(2, name="logits")
    student = keras.Model(inputs, head(features))
    head.set_weights([np.array([[1, 0], [0, 1], [0, 0]], "float32"), np.array(bias, "float32")])
    task = dataclasses.replace(task_of(1, (1, 1)), images=images, labels=np.array(labels))
    preparation = Preparation(student, task, (1, 2), Augmentation())
    return LearnedCoefficient(preparation, task, Options(**options))


def images_of(old, new):
    """So many images of the old class and of the new one, and their labels."""
    return pixels(*[OLD] * old, *[NEW] * new), [0] * old + [1] * new


def updated(found, times=1, rate=1.0):
    """Updates it on batches of new images, as most batches of a later task are."""
    batch = pixels(*[NEW] * 8), np.ones(8, "int32"), np.zeros((8, 3), "int32")
    for step in range(times):
        found.update(step, *batch, np.float32(rate))
    return found.told()["alpha"]


def test_it_starts_at_the_balanced_softmax():
    assert coefficient([0, 0], *images_of(2, 20)).told() == {"alpha": 1}


def test_it_falls_where_old_images_are_taken_for_new_ones():
    """A smaller coefficient: new images push the old logits down less."""
    assert updated(coefficient([-3, 3], *images_of(2, 20)), times=3) < 0.98


def test_it_rises_where_new_images_are_taken_for_old_ones():
    assert updated(coefficient([3, -3], *images_of(2, 20)), times=3) > 1.02


@pytest.mark.parametrize(("bias", "limit"), [([-1, 1], 1e-3), ([1, -1], 1e3)])
def test_it_stays_within_a_thousandfold(bias, limit):
    found = coefficient(bias, *images_of(2, 20), learning_rate=20.0)
    assert updated(found) == pytest.approx(limit, rel=1e-5)


class Recorder:
    """Images that remember which of them were read."""

    def __init__(self, images):
        self.images, self.read = images, []

    def __getitem__(self, indices):
        self.read.extend(indices)
        return self.images[indices]


def test_it_is_measured_on_images_of_which_every_class_is_equally_likely():
    """3 exemplars of the old class among 20 images of the new one: half of what is seen."""
    images, labels = images_of(3, 20)
    images = Recorder(images)
    found = coefficient([0, 0], images, labels, batch_size=100)
    updated(found, times=3)
    drawn = np.array(images.read)
    assert len(drawn) == 300
    assert len(np.unique(drawn)) == 23
    assert np.bincount(np.array(labels)[drawn]).min() > 120


def test_its_variables_are_all_that_it_remembers():
    """They are part of the checkpoint: with them, another one goes on where this one was."""
    first, second = (coefficient([-1, 1], *images_of(1, 6)) for _ in range(2))
    updated(first, times=2)
    for one, other in zip(second.variables, first.variables, strict=True):
        one.assign(other)
    assert second.told() == first.told()
    assert updated(second) == updated(first)


def test_the_same_seed_gives_the_same_coefficient():
    values = {updated(coefficient([-1, 1], *images_of(1, 6)), times=2) for _ in range(2)}
    assert len(values) == 1
