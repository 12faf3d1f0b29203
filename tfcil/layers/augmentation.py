"""Random crops and mirror images, drawn per image and not per batch."""

from dataclasses import dataclass

import numpy as np
from keras import ops


@dataclass(frozen=True)
class Augmentation:
    """How the images of a batch are varied.

    Args:
        crop_padding: pixels of zero padding on each side before a crop of the image's own size.
        flip: whether half of the images are mirrored, left to right.
        resized_crop: whether a random box of the image, 8 to 100 % of its area and 3/4 to 4/3 of
            its proportions, is resized to the whole; then without `crop_padding`.

    Reference:
        Szegedy et al., Going deeper with convolutions (arXiv 1409.4842), section 6: the box.
    """

    crop_padding: int = 0
    flip: bool = False
    resized_crop: bool = False


def draw(generator, count, augmentation):
    """Draws how each image of a batch is varied.

    Args:
        generator: a `numpy.random.Generator`.
        count: number of images.
        augmentation: an `Augmentation`.

    Returns:
        (count, 3) int32: first row, first column, 1 where mirrored; or, for resized crops,
        (count, 5) float32: top, left, height and width as parts of the image's, 1 where mirrored.
    """
    if augmentation.resized_crop:
        draws = np.zeros((count, 5), "float32")
        draws[:, 2:4] = sides = _sides_of_boxes(generator, count)
        draws[:, :2] = generator.uniform(size=(count, 2)) * (1 - sides)
    else:
        draws = np.zeros((count, 3), "int32")
        draws[:, :2] = generator.integers(0, 2 * augmentation.crop_padding + 1, (count, 2))
    if augmentation.flip:
        draws[:, -1] = generator.integers(0, 2, count)
    return draws


def _sides_of_boxes(generator, count, tries=10):
    """Heights and widths, (count, 2): the first box of each image that fits into it."""
    area = generator.uniform(0.08, 1, (tries, count))
    ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3), (tries, count)))
    sides = np.sqrt([area / ratio, area * ratio])
    first = (sides <= 1).all(axis=0).argmax(axis=0)
    # Where none fits, once in 10^8, the first is cut off at the border.
    return np.minimum(sides[:, first, np.arange(count)], 1).T


def augment(images, draws, augmentation):
    """Varies the images of a batch as drawn.

    Args:
        images: (batch, height, width, channels), any dtype.
        draws: see `draw`.
        augmentation: the `Augmentation` given to `draw`.

    Returns:
        Images of the same shape and dtype.
    """
    if augmentation.resized_crop:
        return _resize_boxes(images, draws)
    return crop_and_flip(images, draws, augmentation.crop_padding)


def _resize_boxes(images, draws):
    """Resizes a box of each image to the whole, bilinearly, and mirrors it left to right."""
    _, height, width, _ = images.shape
    top, left, box_height, box_width, mirrored = ops.split(draws, 5, axis=1)
    rows = (ops.arange(height, dtype="float32") + 0.5) / height
    columns = (ops.arange(width, dtype="float32") + 0.5) / width
    columns = ops.where(mirrored > 0, 1 - columns, columns)
    # A box is never enlarged to less than its size: each pixel lies between two of the image, and
    # the weights of all of them are a matrix. Two products of matrices are quicker than gathering.
    vertical = _bilinear_weights(top + box_height * rows, height)
    horizontal = _bilinear_weights(left + box_width * columns, width)
    result = ops.einsum("bij,bjkc->bikc", vertical, ops.cast(images, "float32"))
    result = ops.einsum("bkl,bilc->bikc", horizontal, result)
    if "int" in ops.dtype(images):
        result = ops.round(result)
    return ops.cast(result, images.dtype)


def _bilinear_weights(places, size):
    """Weights of the pixels, (batch, n, size), at places (batch, n) between 0 and 1."""
    centers = ops.arange(size, dtype="float32")
    places = ops.clip(places * size - 0.5, 0, size - 1)
    return ops.relu(1 - ops.abs(places[:, :, None] - centers))


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
