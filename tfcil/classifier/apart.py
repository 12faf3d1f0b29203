"""A student whose head gets the gradient of distillation apart from that of everything else."""

import keras
from keras import ops

from tfcil.classifier.model import FEATURES, LOGITS, num_classes

OLD_LOGITS = "old_logits"


def with_gradients_apart(model, num_old):
    """Returns a classifier with one more output: the logits of its old classes.

    The values are those of `logits`, and so is the gradient of the features. But what is computed
    from this output moves no weight of the head: the gradient goes to weights of 0 that are added
    to it, those of `OldLogits`. A transform that sees both can mix them, and leaves these at 0.

    Args:
        model: a classifier with a linear head.
        num_old: number of old classes.

    Returns:
        A `keras.Model` from images to `logits` (batch, classes) and `old_logits` (batch, num_old),
        and its layer `OldLogits`.
    """
    if not 0 < num_old <= num_classes(model):
        raise ValueError(f"expected old classes of the model. Received: num_old={num_old}")
    head = model.get_layer(LOGITS)
    layer = OldLogits(head, num_old, dtype=head.dtype_policy, name=OLD_LOGITS)
    outputs = {LOGITS: model.output, OLD_LOGITS: layer(model.get_layer(FEATURES).output)}
    return keras.Model(model.input, outputs, name=model.name), layer


class OldLogits(keras.layers.Layer):
    """Computes a linear head's first logits, by constants plus trainable weights of 0."""

    def __init__(self, head, units, **options):
        super().__init__(**options)
        self.head, self.units = head, units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="zeros")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros")

    def call(self, features):
        kernel = ops.stop_gradient(self.head.kernel[:, : self.units]) + self.kernel
        bias = ops.stop_gradient(self.head.bias[: self.units]) + self.bias
        return ops.matmul(features, kernel) + bias
