"""The layers that all backbones are made of, each with a name."""

import keras
from keras import layers

from tfcil.errors import UserError


def check_images(inputs, smallest):
    """Raises a `UserError` unless `inputs` are images with sides of at least `smallest` pixels."""
    shape = tuple(inputs.shape[1:])
    if len(shape) != 3 or None in shape or min(shape[:2]) < smallest:
        raise UserError(
            "Expected images of fixed size (height, width, channels), each side at least "
            f"{smallest} pixels. Received: input_shape={shape}"
        )


def convolution(x, channels, size, name, stride=1):
    """Applies a bias-free convolution with symmetric padding.

    `padding="same"` with a stride pads one side more than the other, PyTorch does not.
    """
    if stride > 1 and size > 1:
        x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad")(x)
    # One initialiser per layer: in Keras 3 an instance draws the same numbers every time.
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    return layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same" if stride == 1 else "valid",
        use_bias=False,
        kernel_initializer=initializer,
        name=name,
    )(x)


def batch_norm(x, name, gamma="ones"):
    """Normalises the batch with PyTorch's constants, those of all published results."""
    return layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=name
    )(x)


def outputs(maps):
    """Pools the last map; the features stay float32 where convolutions compute in less."""
    dtype = keras.config.dtype_policy().variable_dtype
    features = layers.GlobalAveragePooling2D(dtype=dtype, name="features")(maps[-1])
    return {"maps": maps, "features": features}
