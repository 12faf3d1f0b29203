"""tfcil's own networks: a small one, ResNets for CIFAR (three dialects), and ResNet-18.

Reference: He et al., arXiv 1512.03385; dialects of LUCIR (Hou et al., CVPR 2019), PODNet
(arXiv 2004.13513) and PyCIL (arXiv 2112.12533).
"""

from keras import layers

from tfcil.backbones.parts import batch_norm, check_images, convolution, outputs


def simple_cnn(inputs, last_relu=True):
    """Applies four 3x3 convolutions of 16 to 128 channels (0.1 M parameters), for tiny images.

    Args:
        inputs: (batch, height, width, channels) normalised images, each side at least 8 pixels.
        last_relu: whether a ReLU follows the last block. Cosine heads want features of both signs.
    """
    check_images(inputs, smallest=8)
    x, maps, widths = inputs, [], (16, 32, 64, 128)
    for block, channels in enumerate(widths, start=1):
        name, end = f"block{block}", f"map{block}"
        is_last = block == len(widths)
        x = convolution(x, channels, 3, f"{name}_conv")
        if not is_last:
            # Pooling first leaves BatchNorm a quarter of the work: a third of a training step.
            x = layers.MaxPooling2D(2, name=f"{name}_pool")(x)
        has_relu = last_relu or not is_last
        x = batch_norm(x, f"{name}_bn" if has_relu else end)
        if has_relu:
            x = layers.ReLU(name=end)(x)
        maps.append(x)
    return outputs(maps)


def pad_shortcut(x, channels, name):
    """Takes every other pixel and appends zero channels (PyCIL)."""
    x = layers.AveragePooling2D(1, strides=2, name=f"{name}_pick")(x)
    # Read as channels first, the axis that gets the zeros is the last one: our channels.
    extra = channels - x.shape[-1]
    return layers.ZeroPadding2D(
        ((0, 0), (0, extra)), data_format="channels_first", name=f"{name}_pad"
    )(x)


def conv_shortcut(x, channels, name):
    """Applies a 1x1 convolution of stride 2 and BatchNorm (LUCIR)."""
    return batch_norm(convolution(x, channels, 1, f"{name}_conv", stride=2), f"{name}_bn")


def cifar_resnet(inputs, depths, shortcut=pad_shortcut, last_relu=True, **options):
    """Applies a CIFAR ResNet: 64 features, one map at the end of each stage.

    Args:
        inputs: (batch, height, width, channels) normalised images, each side at least 8 pixels.
        depths: residual blocks of each stage. (3, 3, 3) is ResNet-20 (0.27 M parameters), (5, 5, 5)
            ResNet-32 (0.46 M). A fourth stage has as many channels as the third.
        shortcut: how a block that halves the map passes its input on.
        last_relu: whether a ReLU follows the last block. Cosine heads want features of both signs.
        **options: of the blocks. PODNet's have no ReLU after their sum (`block_relu=False`), and
            start as the identity (`gamma="zeros"`, the scale of their second BatchNorm).
    """
    check_images(inputs, smallest=8)
    x = convolution(inputs, 16, 3, "stem_conv")
    x = layers.ReLU(name="stem_relu")(batch_norm(x, "stem_bn"))
    widths = (16, 32, 64, 64)[: len(depths)]
    return _stages(x, depths, widths, shortcut, last_relu, **options)


def resnet18(inputs, last_relu=True):
    """Applies ResNet-18 (11.2 M parameters, 512 features, maps at the ends of its four stages).

    Images with a side below 100 pixels get the stem that CIFAR users expect, a 3x3 convolution
    of stride 1 without pooling; larger ones the published stem, 7x7 of stride 2 and max pooling.
    """
    check_images(inputs, smallest=16)
    is_small = min(inputs.shape[1:3]) < 100
    x = convolution(inputs, 64, 3 if is_small else 7, "stem_conv", stride=1 if is_small else 2)
    x = layers.ReLU(name="stem_relu")(batch_norm(x, "stem_bn"))
    if not is_small:
        # Zeros are as good as minus infinity after a ReLU.
        x = layers.ZeroPadding2D(1, name="stem_pool_pad")(x)
        x = layers.MaxPooling2D(3, strides=2, name="stem_pool")(x)
    return _stages(x, (2, 2, 2, 2), (64, 128, 256, 512), conv_shortcut, last_relu)


def _stages(x, depths, widths, shortcut, last_relu, block_relu=True, gamma="ones"):
    """Applies stages of residual blocks; each ends in a map, the last of which is pooled."""
    maps = []
    for stage, (depth, channels) in enumerate(zip(depths, widths, strict=True), start=1):
        for block in range(1, depth + 1):
            name = f"stage{stage}_block{block}"
            ends_stage = block == depth
            ends_network = ends_stage and stage == len(depths)
            end = f"map{stage}" if ends_stage else f"{name}_output"
            has_relu = last_relu if ends_network else block_relu
            branches = _branches(x, channels, name, shortcut, gamma)
            x = layers.Add(name=f"{name}_sum" if has_relu else end)(branches)
            if has_relu:
                x = layers.ReLU(name=end)(x)
        maps.append(x)
    return outputs(maps)


def _branches(x, channels, name, shortcut, gamma):
    """Computes the two summands of a block, which halves the map where the channels change."""
    halves = x.shape[-1] != channels
    y = convolution(x, channels, 3, f"{name}_conv1", stride=2 if halves else 1)
    y = layers.ReLU(name=f"{name}_relu1")(batch_norm(y, f"{name}_bn1"))
    y = batch_norm(convolution(y, channels, 3, f"{name}_conv2"), f"{name}_bn2", gamma)
    return [shortcut(x, channels, f"{name}_shortcut") if halves else x, y]
