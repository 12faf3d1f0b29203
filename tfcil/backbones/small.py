"""A small convolutional network for glyphs and other tiny images."""

from keras import layers

from tfcil.backbones.parts import batch_norm, check_images, convolution, outputs

WIDTHS = (16, 32, 64, 128)


def simple_cnn(inputs, last_relu=True):
    """Applies four 3x3 convolutions of 16 to 128 channels with BatchNorm (0.1 M parameters).

    Args:
        inputs: (batch, height, width, channels) normalised images, each side at least 8 pixels.
        last_relu: whether a ReLU follows the last block. Cosine heads want features of both signs.
    """
    check_images(inputs, smallest=8)
    x, maps = inputs, []
    for block, channels in enumerate(WIDTHS, start=1):
        name, end = f"block{block}", f"map{block}"
        is_last = block == len(WIDTHS)
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
