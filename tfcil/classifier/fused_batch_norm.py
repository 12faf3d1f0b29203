"""Batch normalisation by TensorFlow's fused kernel.

Keras 3 computes it with a dozen elementwise operations (keras-core#225). Without XLA they take a
quarter of a training step of ResNet-32 on a CPU.
"""

import keras
from keras import ops


def fuse_batch_norm(model):
    """Returns the model with its batch normalisation fused into one kernel each.

    It shares its variables with the given functional model: train and predict with the fused one,
    save the given one. Layers that the kernel can't replace stay as they are; on other backends
    than TensorFlow, the given model itself is returned.
    """
    if keras.backend.backend() != "tensorflow":
        return model
    return keras.models.clone_model(
        model, clone_function=lambda layer: FusedBatchNorm(layer) if _covered(layer) else layer
    )


def _covered(layer):
    return (
        isinstance(layer, keras.layers.BatchNormalization)
        and len(layer.input.shape) == 4
        and layer.axis in (-1, 3)
        and not layer.renorm
        # The kernel sees the batch of one device only.
        and not layer.synchronized
    )


class FusedBatchNorm(keras.layers.Layer):
    """Computes the same as the given `BatchNormalization` layer, with its variables."""

    def __init__(self, layer):
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self.layer = layer

    def compute_output_spec(self, inputs, training=None, mask=None):
        return keras.KerasTensor(inputs.shape, self.compute_dtype)

    def call(self, inputs, training=None, mask=None):
        import tensorflow as tf

        layer = self.layer
        mean, variance = layer.moving_mean, layer.moving_variance
        train = bool(training) and layer.trainable
        output, batch_mean, batch_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.convert_to_tensor(layer.gamma) if layer.scale else ops.ones_like(mean),
            offset=ops.convert_to_tensor(layer.beta) if layer.center else ops.zeros_like(mean),
            # In training the kernel computes both itself and takes empty tensors.
            mean=ops.zeros(0) if train else ops.convert_to_tensor(mean),
            variance=ops.zeros(0) if train else ops.convert_to_tensor(variance),
            epsilon=layer.epsilon,
            is_training=train,
        )
        if train:
            # The kernel's variance divides by n - 1, that of Keras by n.
            n = ops.cast(ops.prod(ops.shape(inputs)[:-1]), "float32")
            new = 1 - layer.momentum
            mean.assign(mean * layer.momentum + batch_mean * new)
            variance.assign(variance * layer.momentum + batch_variance * ((n - 1) / n) * new)
        return output
