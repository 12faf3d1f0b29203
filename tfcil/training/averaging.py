"""Exponential moving averages of the weights, and the batch statistics that belong to them."""

import keras
import numpy as np

from tfcil.classifier.growth import layers_by_path
from tfcil.layers.augmentation import augment
from tfcil.training.phase import Transform
from tfcil.training.steps import read

IMAGES = 5000  # that the statistics are computed from, or all where there are fewer


class MovingAverage(Transform):
    """Keeps an exponential moving average of each variable; leaves gradients as they are.

    Args:
        steps: number of steps that the average spans: each keeps 1 - 1 / steps of the one before.
    """

    def __init__(self, steps):
        self.decay = 1 - 1 / max(steps, 1)

    def init(self, variables):
        """Starts from the values of the variables."""
        return [np.array(one) for one in variables]

    def update(self, gradients, state, variables, step):
        """Returns the gradients, and the averages with the values before this step."""
        return gradients, self.moved(state, variables)

    def moved(self, state, variables):
        """Returns the averages with other values of the variables taken in."""
        pairs = zip(state, variables, strict=True)
        return [self.decay * kept + (1 - self.decay) * value for kept, value in pairs]


def recompute_batch_statistics(model, plan, images) -> None:
    """Sets mean and variance of batch normalisation to what the present weights give.

    They are averages over batches of training images, augmented as in training: those that would
    follow the last step. Layers that are not trained keep their statistics.

    Args:
        model: a Keras model.
        plan: the `Plan` of the training.
        images: the images of its task.
    """
    layers = [layer for _, layer in layers_by_path(model) if _keeps_statistics(layer)]
    momentum = [layer.momentum for layer in layers]
    variables = [one for layer in layers for one in (layer.moving_mean, layer.moving_variance)]
    first, size = plan.steps, plan.sampler.size
    count = -(-min(IMAGES, len(plan.sampler.indices)) // size)
    sums = [0.0] * len(variables)
    try:
        for layer in layers:
            layer.momentum = 0.0  # each batch then replaces the statistics by its own
        for step in range(first, first + count) if layers else ():
            indices, draws = plan.batch(step)
            batch = keras.ops.convert_to_tensor(read(images, indices, draws, plan))
            model(augment(batch, draws, plan.augmentation), training=True)
            values = [np.array(one, "float64") for one in variables]
            sums = [np.add(*pair) for pair in zip(sums, values, strict=True)]
    finally:
        for layer, value in zip(layers, momentum, strict=True):
            layer.momentum = value
    for variable, value in zip(variables, sums, strict=True):
        variable.assign((value / count).astype("float32"))


def _keeps_statistics(layer):
    return isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
