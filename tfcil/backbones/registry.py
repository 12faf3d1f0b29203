"""Backbones by the names that stand in params.yaml."""

import contextlib
from functools import partial

import keras

from tfcil.backbones import applications, resnets
from tfcil.backbones.names import check_backbone
from tfcil.backbones.parts import as_model
from tfcil.backbones.small import simple_cnn_layers
from tfcil.errors import UserError

OWN = {
    "simple_cnn": simple_cnn_layers,
    "resnet20": resnets.resnet20_layers,
    "resnet32": resnets.resnet32_layers,
    "resnet32_lucir": partial(resnets.resnet32_layers, shortcut="conv", last_relu=False),
    "resnet32_rebuffi": resnets.resnet32_rebuffi_layers,
    "resnet18": resnets.resnet18_layers,
}


def build(name, input_shape, weights=None, last_relu=None, dtype=None):
    """Builds a backbone by name; arguments, outputs and errors are those of `apply`.

    Example:
        >>> build("resnet32", (32, 32, 3)).output["features"].shape
        (None, 64)
    """
    return as_model(
        name, input_shape, partial(apply, name), weights=weights, last_relu=last_relu, dtype=dtype
    )


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
    with _dtype_policy(dtype):
        if is_application:
            return applications.application_layers(inputs, applications.find(name), weights)
        return OWN[name](inputs, **options)


def normalises_itself(name) -> bool:
    """Tells whether a backbone takes raw images of 0..255, because its preprocessing is inside.

    Raises:
        UserError: for an unknown name.
    """
    return check_backbone(name) not in OWN


@contextlib.contextmanager
def _dtype_policy(dtype):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
