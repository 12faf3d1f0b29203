"""The coefficient on the counts of old classes that meta-bsce learns while the model is trained.

Before each step, the head takes a virtual step on the batch with the balanced softmax under the
coefficient alpha; alpha then moves so that the cross-entropy of the moved head on a class-balanced
batch falls. Features are constants in this, so that the inner gradient is the head's alone; the
virtual step knows no weight decay and moves columns that the real one may freeze.

This is our reading of Jodelet et al. 2021 (arXiv 2103.12532), after the Meta-Sampler of Ren et al.
2020 (arXiv 2007.10740).
"""

import functools

import keras
import numpy as np
from keras import ops

from tfcil.classifier import FEATURES, LOGITS, expose
from tfcil.layers.augmentation import augment
from tfcil.losses import balanced_softmax_crossentropy
from tfcil.methods.classification import weighted_counts

LARGEST_LOG = float(np.log(1e3))


class MetaCoefficient:
    """Learns alpha, which starts at 1: the balanced softmax by the plain counts.

    Args:
        student: the classifier that is trained.
        increment: the `Increment` of the task.
        options: the section `method` of params.yaml.
        images: (n, height, width, channels) uint8: new images and exemplars.
        labels: (n,) their classes.
        seed: integers that everything drawn depends on.
        augmentation: how the training images are varied.
    """

    def __init__(self, student, increment, options, images, labels, seed, augmentation):
        self._features = expose(student, FEATURES)
        self._head = student.get_layer(LOGITS)
        self._increment, self._options = increment, options
        self._images, self._seed = images, seed
        self._augmentation = augmentation
        self._by_class = _balanced_set(labels, np.random.default_rng([*seed, 2]))
        self._log_alpha = keras.Variable(0.0, dtype="float32", name="log_alpha")
        self._adam = keras.optimizers.Adam(options.meta_learning_rate)
        self._adam.build([self._log_alpha])
        self._gradient = _compiled(self._gradient_of_alpha)
        self._step = 0

    @property
    def value(self) -> float:
        """alpha."""
        return float(np.exp(ops.convert_to_numpy(self._log_alpha)))

    @property
    def variables(self) -> list:
        """All that learning alpha changes."""
        return [self._log_alpha, *self._adam.variables]

    def go_on_from(self, step: int) -> None:
        """Goes on with the batch of a later step."""
        self._step = step

    def update(self, images, labels, draws, rate):
        """Moves alpha once.

        Args:
            images: (batch, height, width, channels) uint8, those of the coming step.
            labels: (batch,) int32.
            draws: their augmentation.
            rate: learning rate of the coming step.
        """
        chosen, classes = self._balanced_batch()
        gradient = self._gradient(
            *(images, labels, draws, self._images[chosen], classes),
            *(np.float32(rate), np.float32(ops.convert_to_numpy(self._log_alpha))),
        )
        self._adam.apply([gradient], [self._log_alpha])
        self._log_alpha.assign(ops.clip(self._log_alpha, -LARGEST_LOG, LARGEST_LOG))
        self._step += 1

    def _balanced_batch(self):
        generator = np.random.default_rng([*self._seed, 3, self._step])
        known = list(self._by_class)
        classes = generator.choice(known, self._options.meta_batch_size)
        chosen = [generator.choice(self._by_class[label]) for label in classes]
        return np.array(chosen), classes.astype("int32")

    def _gradient_of_alpha(self, images, labels, draws, balanced, classes, rate, log_alpha):
        cropped = augment(images, draws, self._augmentation)
        features = self._features(cropped, training=False)[FEATURES]
        balanced_features = self._features(balanced, training=False)[FEATURES]
        return meta_gradient(
            log_alpha,
            self._head,
            (features, labels),
            (balanced_features, classes),
            rate,
            self._increment,
            self._options.tau,
        )


def meta_gradient(log_alpha, head, batch, balanced, rate, increment, tau):
    """Computes the gradient of the balanced loss after a virtual step of the head, by log alpha.

    Args:
        log_alpha: scalar tensor.
        head: the built layer from features to logits.
        batch: features (batch, d) and labels (batch,) of the training batch.
        balanced: likewise, of a class-balanced one.
        rate: learning rate of the virtual step.
        increment: the `Increment` of the task.
        tau: strength of the balanced softmax.
    """
    values = [ops.convert_to_tensor(variable.value) for variable in head.trainable_variables]

    def logits(weights, features):
        return head.stateless_call(weights, [], features)[0]

    def loss(log_alpha):
        counts = weighted_counts(increment, ops.exp(log_alpha))

        def training_loss(weights):
            inner = logits(weights, batch[0])
            return ops.mean(balanced_softmax_crossentropy(batch[1], inner, counts, tau))

        moved = [
            value - rate * gradient
            for value, gradient in zip(values, _gradient(training_loss, values), strict=True)
        ]
        equal = np.ones(len(increment.class_counts), "float32")
        outer = logits(moved, balanced[0])
        return ops.mean(balanced_softmax_crossentropy(balanced[1], outer, equal))

    return _gradient(loss, log_alpha)


def _balanced_set(labels, generator):
    """As many images of each class as there are exemplars of an old one, by class."""
    counts = np.bincount(labels)
    size = counts[counts > 0].min()
    return {
        label: generator.permutation(np.flatnonzero(labels == label))[:size]
        for label in np.flatnonzero(counts)
    }


def _gradient(function, values):
    """Differentiates a scalar function; calls may be nested."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(function)(values)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(values)
        value = function(values)
    return tape.gradient(value, values)


def _compiled(function):
    # JAX would take the student's weights for constants.
    if keras.backend.backend() == "jax":
        return function
    import tensorflow as tf

    # Converted here: a NumPy array would be one more constant to trace for.
    traced = tf.function(function, jit_compile=False)
    return functools.wraps(function)(lambda *arrays: traced(*map(tf.convert_to_tensor, arrays)))
