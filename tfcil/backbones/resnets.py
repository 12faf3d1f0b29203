"""Residual networks: those of CIFAR (20 and 32 layers, three dialects) and ResNet-18.

Reference: He et al., arXiv 1512.03385; dialects of LUCIR (Hou et al., CVPR 2019), PODNet
(arXiv 2004.13513) and PyCIL (arXiv 2112.12533).
"""

from keras import layers

from tfcil.backbones.parts import as_model, batch_norm, check_images, convolution, outputs, relu
from tfcil.errors import UserError

CIFAR_WIDTHS = (16, 32, 64)


def resnet20(input_shape, shortcut="pad", last_relu=True):
    """Builds the CIFAR ResNet of 20 layers (0.27 M parameters); as `resnet32`, 3 blocks a stage."""
    return as_model(
        "resnet20", input_shape, resnet20_layers, shortcut=shortcut, last_relu=last_relu
    )


def resnet32(input_shape, shortcut="pad", last_relu=True):
    """Builds the CIFAR ResNet of 32 layers (0.46 M parameters).

    Args:
        input_shape: (height, width, channels), each side at least 8 pixels.
        shortcut: how a block that halves the map passes its input on. `"pad"`: every other pixel,
            zero channels appended (PyCIL); `"conv"`: a 1x1 convolution and BatchNorm (LUCIR).
        last_relu: whether a ReLU follows the last block. Cosine heads want features of both signs.

    Returns:
        A `keras.Model` from normalised images to `{"maps": [...], "features": (batch, 64)}`. The
        maps are the ends of the three stages (after their ReLU, where there is one), from layers
        `map1` to `map3`; the features are the mean of the last, from layer `features`.

    Raises:
        UserError: for images that are too small, or an unknown shortcut.
    """
    return as_model(
        "resnet32", input_shape, resnet32_layers, shortcut=shortcut, last_relu=last_relu
    )


def resnet32_rebuffi(input_shape, last_relu=False):
    """Builds PODNet's ResNet-32: as `resnet32`, but without ReLU after any sum, and with four maps.

    The last of the five blocks of stage 3 is a stage of its own, and every block starts as the
    identity (zero scale of its second BatchNorm). `last_relu` adds a ReLU before the pooling.
    """
    return as_model("resnet32_rebuffi", input_shape, resnet32_rebuffi_layers, last_relu=last_relu)


def resnet18(input_shape, last_relu=True):
    """Builds ResNet-18 (11.2 M parameters, 512 features, maps at the ends of its four stages).

    Images with a side below 100 pixels get the stem that CIFAR users expect, a 3x3 convolution
    of stride 1 without pooling; larger ones the published stem, 7x7 of stride 2 and max pooling.
    """
    return as_model("resnet18", input_shape, resnet18_layers, last_relu=last_relu)


def resnet20_layers(inputs, shortcut="pad", last_relu=True):
    """Applies ResNet-20 to a symbolic batch of images."""
    x = _cifar_stem(inputs)
    return _stages(x, (3, 3, 3), CIFAR_WIDTHS, shortcut, last_relu)


def resnet32_layers(inputs, shortcut="pad", last_relu=True):
    """Applies ResNet-32 to a symbolic batch of images."""
    x = _cifar_stem(inputs)
    return _stages(x, (5, 5, 5), CIFAR_WIDTHS, shortcut, last_relu)


def resnet32_rebuffi_layers(inputs, last_relu=False):
    """Applies PODNet's ResNet-32 to a symbolic batch of images."""
    x = _cifar_stem(inputs)
    return _stages(
        x, (5, 5, 4, 1), (*CIFAR_WIDTHS, 64), "pad", last_relu, block_relu=False, gamma="zeros"
    )


def resnet18_layers(inputs, last_relu=True):
    """Applies ResNet-18 to a symbolic batch of images."""
    check_images(inputs, smallest=16)
    if min(inputs.shape[1:3]) < 100:
        x = relu(batch_norm(convolution(inputs, 64, 3, "stem_conv"), "stem_bn"), "stem_relu")
    else:
        x = convolution(inputs, 64, 7, "stem_conv", stride=2)
        x = relu(batch_norm(x, "stem_bn"), "stem_relu")
        # Zeros are as good as minus infinity after a ReLU.
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    return _stages(x, (2, 2, 2, 2), (64, 128, 256, 512), "conv", last_relu)


def _cifar_stem(inputs):
    check_images(inputs, smallest=8)
    x = convolution(inputs, CIFAR_WIDTHS[0], 3, "stem_conv")
    return relu(batch_norm(x, "stem_bn"), "stem_relu")


def _stages(x, depths, widths, shortcut, last_relu, block_relu=True, gamma="ones"):
    """Applies stages of residual blocks; each ends in a map, the last of which is pooled."""
    if shortcut not in _SHORTCUTS:
        raise UserError(
            f"shortcut must be one of {', '.join(_SHORTCUTS)}. Received: shortcut={shortcut}"
        )
    maps = []
    for stage, (depth, channels) in enumerate(zip(depths, widths, strict=True), start=1):
        for block in range(1, depth + 1):
            name = f"stage{stage}_block{block}"
            ends_stage = block == depth
            ends_network = ends_stage and stage == len(depths)
            end = f"map{stage}" if ends_stage else f"{name}_output"
            has_relu = last_relu if ends_network else block_relu
            branches = _branches(x, channels, name, _SHORTCUTS[shortcut], gamma)
            x = layers.Add(name=f"{name}_sum" if has_relu else end)(branches)
            if has_relu:
                x = relu(x, end)
        maps.append(x)
    return outputs(maps)


def _branches(x, channels, name, shortcut, gamma):
    """Computes the two summands of a block, which halves the map where the channels change."""
    halves = x.shape[-1] != channels
    y = convolution(x, channels, 3, f"{name}_conv1", stride=2 if halves else 1)
    y = relu(batch_norm(y, f"{name}_bn1"), f"{name}_relu1")
    y = batch_norm(convolution(y, channels, 3, f"{name}_conv2"), f"{name}_bn2", gamma)
    return [shortcut(x, channels, f"{name}_shortcut") if halves else x, y]


def _pad_shortcut(x, channels, name):
    x = layers.AveragePooling2D(1, strides=2, name=f"{name}_pick")(x)
    # Read as channels first, the axis that gets the zeros is the last one: our channels.
    extra = channels - x.shape[-1]
    return layers.ZeroPadding2D(
        ((0, 0), (0, extra)), data_format="channels_first", name=f"{name}_pad"
    )(x)


def _conv_shortcut(x, channels, name):
    return batch_norm(convolution(x, channels, 1, f"{name}_conv", stride=2), f"{name}_bn")


_SHORTCUTS = {"pad": _pad_shortcut, "conv": _conv_shortcut}
