"""The coefficient on the counts of old classes that meta_bsce learns while the model is trained.

Before each step, the head takes a virtual step on the batch with the balanced softmax under the
coefficient alpha; then alpha moves so that the cross-entropy of the moved head on a class-balanced
batch falls. Features are constants in this, so that the inner gradient is the head's alone; the
virtual step knows no weight decay, and moves columns that the real step may freeze.
"""

import functools

import keras
import numpy as np
from keras import ops

from tfcil.classifier import FEATURES, LOGITS, expose
from tfcil.layers.augmentation import augment
from tfcil.losses import balanced_softmax_crossentropy
from tfcil.training.phase import BeforeStep
from tfcil.training.samplers import Balanced

LARGEST_LOG = float(np.log(1e3))


class LearnedCoefficient(BeforeStep):
    """Learns alpha, which starts at 1: the balanced softmax by the plain counts.

    Args:
        preparation: the `Preparation` of the phase.
        task: the `Task` whose class counts the loss takes.
        options: of meta_bsce.

    Attributes:
        variables: log alpha and the two moments of Adam, (3,).
    """

    def __init__(self, preparation, task, options):
        self._images, self._labels = preparation.task.images, preparation.task.labels
        self._task, self._tau = task, options.tau
        self._features = expose(preparation.classifier, FEATURES)
        self._head = preparation.classifier.get_layer(LOGITS)
        self._augmentation = preparation.augmentation
        self._sampler = Balanced(self._labels, options.batch_size)
        self._seed = preparation.seed
        self._learning_rate = options.learning_rate
        self._state = keras.Variable(np.zeros(3), dtype="float32", name="log_alpha_and_moments")
        self._gradient = _compiled(self._gradient_of_alpha)
        self.variables = [self._state]

    def told(self):
        """Returns `alpha`."""
        return {"alpha": float(np.exp(ops.convert_to_numpy(self._state)[0]))}

    def update(self, step, images, labels, draws, learning_rate):
        """Moves alpha once, by the batch of the coming step and a class-balanced one."""
        chosen = self._sampler.batch(self._seed, step)
        balanced = self._images[chosen], self._labels[chosen].astype("int32")
        log_alpha, *moments = ops.convert_to_numpy(self._state)
        gradient = self._gradient(
            *(images, labels, draws, *balanced), np.float32(learning_rate), log_alpha
        )
        change, *moments = _adam(float(gradient), *moments, step + 1)
        log_alpha = np.clip(log_alpha - self._learning_rate * change, -LARGEST_LOG, LARGEST_LOG)
        self._state.assign([log_alpha, *moments])

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
            self._task,
            self._tau,
        )


def weighted_counts(task, alpha):
    """Computes the class counts, those of old classes times `alpha`, as a tensor (classes,)."""
    counts = np.array(task.class_counts, "float32")
    is_old = np.arange(len(counts)) < task.num_old
    # Relative to the largest: alpha may be as small as 1e-3.
    return ops.where(is_old, alpha * counts, counts) / counts.max()


def meta_gradient(log_alpha, head, batch, balanced, rate, task, tau):
    """Computes the gradient of the balanced loss after a virtual step of the head, by log alpha.

    Args:
        log_alpha: scalar tensor.
        head: the built layer from features to logits.
        batch: features (batch, d) and labels (batch,) of the training batch.
        balanced: likewise, of a class-balanced one.
        rate: learning rate of the virtual step.
        task: the `Task`, for its class counts.
        tau: strength of the balanced softmax.
    """
    # Copies: on several devices, a variable's value is a variable for each of them.
    values = [ops.copy(variable.value) for variable in head.trainable_variables]

    def logits(weights, features):
        return head.stateless_call(weights, [], features)[0]

    def loss(log_alpha):
        counts = weighted_counts(task, ops.exp(log_alpha))

        def training_loss(weights):
            inner = logits(weights, batch[0])
            return ops.mean(balanced_softmax_crossentropy(batch[1], inner, counts, tau))

        moved = [
            value - rate * gradient
            for value, gradient in zip(values, _gradient(training_loss, values), strict=True)
        ]
        equal = np.ones(len(task.class_counts), "float32")
        outer = logits(moved, balanced[0])
        return ops.mean(balanced_softmax_crossentropy(balanced[1], outer, equal))

    return _gradient(loss, log_alpha)


def _adam(gradient, mean, square, count):
    """Returns a step of Adam (arXiv 1412.6980) at rate 1, and both moments.

    The optimizer of Keras can't be called outside the devices' own functions.
    """
    mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
    step = mean / (1 - 0.9**count) / (np.sqrt(square / (1 - 0.999**count)) + 1e-8)
    return step, mean, square


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
    traced = tf.function(function, jit_compile=False, autograph=False)
    return functools.wraps(function)(lambda *arrays: traced(*map(tf.convert_to_tensor, arrays)))
