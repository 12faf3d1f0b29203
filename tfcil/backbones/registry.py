"""Backbones by their names in params.yaml."""

from functools import partial

import keras

from tfcil.backbones.applications import application_layers
from tfcil.backbones.names import check_backbone
from tfcil.backbones.own import cifar_resnet, conv_shortcut, resnet18, simple_cnn
from tfcil.errors import UserError

OWN = {
    "simple_cnn": simple_cnn,
    "resnet20": partial(cifar_resnet, depths=(3, 3, 3)),
    "resnet32": partial(cifar_resnet, depths=(5, 5, 5)),
    "resnet32_lucir": partial(
        cifar_resnet, depths=(5, 5, 5), shortcut=conv_shortcut, last_relu=False
    ),
    # The fifth block of stage 3 is a fourth stage.
    "resnet32_rebuffi": partial(
        cifar_resnet, depths=(5, 5, 4, 1), last_relu=False, block_relu=False, gamma="zeros"
    ),
    "resnet18": resnet18,
}


def build(name, input_shape, weights=None, last_relu=None, dtype=None):
    """Builds a `keras.Model` of a backbone; arguments, outputs and errors are those of `apply`.

    Example:
        >>> build("resnet32", (32, 32, 3)).output["features"].shape
        (None, 64)
    """
    inputs = keras.Input(input_shape, name="image")
    return keras.Model(inputs, apply(name, inputs, weights, last_relu, dtype), name=name)


def apply(name, inputs, weights=None, last_relu=None, dtype=None):
    """Applies a backbone by name to a symbolic batch of images, layer by layer.

    Args:
        name: one of tfcil's own (`simple_cnn`, `resnet20`, `resnet32`, `resnet32_lucir`,
            `resnet32_rebuffi`, `resnet18`), or of `keras.applications` (`MobileNetV2`,
            `mobilenet_v2`, ...).
        inputs: (batch, height, width, channels) symbolic tensor: normalised images, or raw ones of
            0..255 where the backbone normalises itself (see `normalises_itself`).
        weights: None; or `"imagenet"` for networks of `keras.applications`.
        last_relu: whether a ReLU precedes the pooling; None: as published. Networks of
            `keras.applications` always end as published.
        dtype: name of a Keras dtype policy; None: the current one.

    Returns:
        `{"maps": [...], "features": (batch, d)}`: outputs of the layers `map1`, `map2`, ... and
        `features`, the mean of the last map. Features are float32 under mixed precision.

    Raises:
        UserError: for an unknown name, images the network does not take, or missing weights.
    """
    is_application = normalises_itself(name)
    if weights is not None and not (is_application and weights == "imagenet"):
        raise UserError(
            "weights must be None, or 'imagenet' for a network of keras.applications. "
            f"Received: backbone={name}, weights={weights}"
        )
    options = {} if last_relu is None else {"last_relu": last_relu}
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        if is_application:
            return application_layers(inputs, name, weights)
        return OWN[name](inputs, **options)
    finally:
        keras.config.set_dtype_policy(before)


def normalises_itself(name) -> bool:
    """Tells whether a backbone takes raw images of 0..255, because its preprocessing is inside.

    Raises:
        UserError: for an unknown name.
    """
    return check_backbone(name) not in OWN
