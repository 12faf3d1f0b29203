"""Resizes and cuts images with Pillow."""

import re
import warnings

import numpy as np

MAX_RATIO = 16  # of longer to shorter side: a line of pixels would grow beyond all memory
_PILLOW_WARNS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)


def silence_pillow() -> None:
    """Makes Pillow's warnings of damaged metadata be ignored from now on."""
    # Filters belong to the process: restoring them would race with other threads. This one must be
    # the first, as others may turn warnings into errors.
    if warnings.filters[:1] != [_PILLOW_WARNS]:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def as_picture(image):
    """Converts (height, width, channels) uint8 to a picture of Pillow."""
    from PIL import Image

    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def resize(image, size, how="stretch") -> np.ndarray:
    """Computes a square image, by Pillow's bilinear interpolation with antialiasing.

    Args:
        image: (height, width, channels) uint8.
        size: side in pixels.
        how: `"stretch"`: the whole image, whatever its proportions; `"crop"`: the central square
            after the shorter side became `shorter_side(size)`, as ImageNet models are evaluated.

    Returns:
        (size, size, channels) uint8.
    """
    picture = resized(as_picture(image), size, how)
    return np.asarray(picture).reshape(size, size, image.shape[-1])


def resized(picture, size, how):
    """Does what `resize` does, from a picture of Pillow to another."""
    from PIL import Image

    if how == "stretch":
        return picture.resize((size, size), Image.Resampling.BILINEAR)
    before = min(picture.size)
    picture = _middle(picture, [min(side, MAX_RATIO * before) for side in picture.size])
    return _middle(with_shorter_side(picture, shorter_side(size)), (size, size))


def shorter_side(size) -> int:
    """Returns the shorter side, in pixels, of images that are cropped to `size`: 256 for 224."""
    return round(size * 256 / 224)


def with_shorter_side(picture, shorter):
    """Resizes a picture of Pillow, so that its shorter side has `shorter` pixels."""
    from PIL import Image

    before = min(picture.size)
    width, height = (shorter * side // before for side in picture.size)
    return picture.resize((width, height), Image.Resampling.BILINEAR)


def resized_box(picture, size, box):
    """Resizes a box of a picture of Pillow, bilinearly and with antialiasing.

    Args:
        picture: the whole picture.
        size: (width, height) of the result.
        box: top, left, height and width, as fractions of the picture's height and width.
    """
    from PIL import Image

    width, height = picture.size
    top, left, box_height, box_width = map(float, box)
    right, bottom = min(left + box_width, 1), min(top + box_height, 1)
    corners = (left * width, top * height, right * width, bottom * height)
    return picture.resize(size, Image.Resampling.BILINEAR, corners)


def _middle(picture, size):
    if picture.size == tuple(size):
        return picture
    left, top = (round((side - part) / 2) for side, part in zip(picture.size, size, strict=True))
    return picture.crop((left, top, left + size[0], top + size[1]))
