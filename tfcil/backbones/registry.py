"""Backbones by their names in params.yaml."""

from functools import partial
from pathlib import Path

import keras

from tfcil.backbones.applications import application_layers
from tfcil.backbones.efficientnet_lite import efficientnet_lite0
from tfcil.backbones.hub import hub_layers
from tfcil.backbones.keras_file import file_layers
from tfcil.backbones.names import HUB, PRETRAINED, check_backbone, is_file, is_hub, known_weights
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


def build(name, input_shape, **options):
    """Builds a `keras.Model` of a backbone; arguments, outputs and errors are those of `apply`.

    Example:
        >>> build("resnet32", (32, 32, 3)).output["features"].shape
        (None, 64)
    """
    inputs = keras.Input(input_shape, name="image")
    return keras.Model(inputs, apply(name, inputs, **options), name=Path(name).stem)


def apply(name, inputs, weights=None, last_relu=None, dtype=None, layer=None, pixels="raw"):
    """Applies a backbone by name to a symbolic batch of images, layer by layer.

    Args:
        name: one of tfcil's own (`simple_cnn`, `resnet20`, `resnet32`, `resnet32_lucir`,
            `resnet32_rebuffi`, `resnet18`, `efficientnet_lite0`), or of `keras.applications`
            (`MobileNetV2`, `mobilenet_v2`, ...), or of keras-hub (`hub:PRESET`), or the path of
            a `.keras` file.
        inputs: (batch, height, width, channels) symbolic tensor: normalised images, or raw ones of
            0..255 where the backbone normalises itself (see `normalises_itself`).
        weights: None; or `"imagenet"` for `efficientnet_lite0` and networks of
            `keras.applications`, `"preset"` for those of keras-hub. A file brings its own.
        last_relu: whether a ReLU precedes the pooling; None: as published. Others than tfcil's own
            always end as published.
        dtype: name of a Keras dtype policy; None: the current one. A file brings its own.
        layer: of a file: name of the layer whose output gives the features, see `file_layers`.
        pixels: of a file: `"raw"`, `"unit"` or `"signed"`, the values that its network takes.

    Returns:
        `{"maps": [...], "features": (batch, d)}`: outputs of the layers `map1`, `map2`, ... and
        `features`, the mean of the last map, if there is one. Features are float32 under mixed
        precision.

    Raises:
        UserError: for an unknown name, images the network does not take, or missing weights.
    """
    known = known_weights(check_backbone(name))
    if weights not in (None, known):
        raise UserError(
            f"weights: expected None{f' or {known}' if known else ''} for this backbone. "
            f"Received: backbone={name}, weights={weights}"
        )
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype or before)
    try:
        if name in OWN:
            return OWN[name](inputs, **({} if last_relu is None else {"last_relu": last_relu}))
        if name in PRETRAINED:
            return efficientnet_lite0(inputs, weights)
        if is_file(name):
            return file_layers(inputs, name, layer, pixels)
        if is_hub(name):
            return hub_layers(inputs, name.removeprefix(HUB), weights)
        return application_layers(inputs, name, weights)
    finally:
        keras.config.set_dtype_policy(before)


def normalises_itself(name) -> bool:
    """Tells whether a backbone takes raw images of 0..255, because its preprocessing is inside.

    Raises:
        UserError: for an unknown name.
    """
    return check_backbone(name) not in OWN
