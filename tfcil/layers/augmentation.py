"""Random crop and mirror image, drawn per image and not per batch."""

import numpy as np
from keras import ops


def draw(generator, batch_size, crop_padding=0, flip=False):
    """Draws where each image of a batch is cropped and whether it is mirrored.

    Args:
        generator: a `numpy.random.Generator`.
        batch_size: number of images.
        crop_padding: pixels of zero padding on each side before the crop.
        flip: whether half of the images are mirrored.

    Returns:
        (batch, 3) int32: first row, first column, 1 where mirrored.
    """
    draws = np.zeros((batch_size, 3), "int32")
    draws[:, :2] = generator.integers(0, 2 * crop_padding + 1, (batch_size, 2))
    if flip:
        draws[:, 2] = generator.integers(0, 2, batch_size)
    return draws


def crop_and_flip(images, draws, crop_padding):
    """Crops each image out of its zero-padded self and mirrors it left to right, as drawn.

    One gather does both: every output pixel is looked up at its place in the padded batch.

    Args:
        images: (batch, height, width, channels), any dtype.
        draws: (batch, 3) integers, see `draw`.
        crop_padding: pixels of zero padding on each side, as given to `draw`.

    Returns:
        Images of the same shape and dtype.
    """
    batch, height, width, channels = images.shape
    border = (crop_padding, crop_padding)
    padded = ops.pad(images, ((0, 0), border, border, (0, 0)))
    padded_width = width + 2 * crop_padding
    padded_size = (height + 2 * crop_padding) * padded_width
    along = ops.arange(width, dtype="int32")
    columns = draws[:, 1:2] + ops.where(draws[:, 2:3] > 0, width - 1 - along, along)
    rows = draws[:, 0:1] + ops.arange(height, dtype="int32")
    first = ops.arange(batch, dtype="int32")[:, None, None] * padded_size
    pixels = first + rows[:, :, None] * padded_width + columns[:, None, :]
    flat = ops.reshape(padded, (batch * padded_size, channels))
    return ops.take(flat, pixels, axis=0)
