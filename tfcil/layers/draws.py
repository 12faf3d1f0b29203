"""Draws a random crop and a random flip for each image, with NumPy alone."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Augmentation:
    """How to augment images.

    Args:
        crop_padding: zero padding on each side, in pixels, before a random crop of the image's
            size.
        flip: whether to flip images left to right, with probability 1/2; or `"alternating"`, if
            who draws says which.
        resized_crop: whether to resize a random box to the size of the image, instead of a padded
            crop. The box has 8 to 100 % of the image's area; it is 3/4 to 4/3 as wide as high,
            where the image counts as a square.
        while_reading: whether images come cropped and flipped already, as encoded ones do that
            were cropped when they were decoded.

    Reference:
        Szegedy et al., "Going deeper with convolutions" (arXiv 1409.4842), section 6: the box.
    """

    crop_padding: int = 0
    flip: bool | str = False
    resized_crop: bool = False
    while_reading: bool = False


def draw(generator, count, augmentation, aspects=1.0, flips=None):
    """Draws the crop and the flip of each of `count` images.

    Args:
        generator: a `numpy.random.Generator`.
        count: number of images.
        augmentation: the `Augmentation`.
        aspects: width by height of each image, (count,), for resized crops; 1: images count as
            squares.
        flips: (count,) 1 for images to flip, for `flip="alternating"`.

    Returns:
        For padded crops, (count, 3) int32: first row, first column, and 1 to flip. For resized
        crops, (count, 5) float32: top, left, height and width as fractions of the image's, and 1
        to flip.
    """
    if augmentation.resized_crop:
        draws = np.zeros((count, 5), "float32")
        draws[:, 2:4] = sides = _sides_of_boxes(generator, count, aspects)
        draws[:, :2] = generator.uniform(size=(count, 2)) * (1 - sides)
    else:
        draws = np.zeros((count, 3), "int32")
        draws[:, :2] = generator.integers(0, 2 * augmentation.crop_padding + 1, (count, 2))
    if augmentation.flip:
        draws[:, -1] = generator.integers(0, 2, count) if flips is None else flips
    return draws


def _sides_of_boxes(generator, count, aspects, tries=10):
    """Draws boxes for each image; returns height and width, (count, 2), of the first that fits."""
    area = generator.uniform(0.08, 1, (tries, count))
    ratio = np.exp(generator.uniform(np.log(3 / 4), np.log(4 / 3), (tries, count)))
    sides = np.sqrt([area / ratio * aspects, area * ratio / aspects])
    first = (sides <= 1).all(axis=0).argmax(axis=0)
    chosen = sides[:, first, np.arange(count)]
    # If none fits, of squares once in 10^8, the first one is made smaller.
    return (chosen / np.maximum(chosen.max(axis=0), 1)).T
