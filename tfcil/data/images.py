"""Reads image files; computes the statistics of many images."""

import contextlib
import hashlib
import os
import stat
import threading

import numpy as np

from tfcil.data.listing import one_line
from tfcil.data.pictures import silence_pillow
from tfcil.errors import UserError

FORMATS = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
MAX_PIXELS = 100_000_000
MAX_BYTES = 500_000_000  # an uncompressed picture of MAX_PIXELS is smaller
_TOO_LARGE = f"more than {MAX_PIXELS // 10**6} megapixels"


class UnusableImageError(Exception):
    """The reason why a file cannot be used as an image."""


def read_image(path, fit=None) -> np.ndarray:
    """Reads an image file, or the first frame of a moving one.

    Args:
        path: the file.
        fit: function that is applied to the image. It runs while the pixels count against the
            limit that all reading threads share.

    Returns:
        (height, width, 3) uint8, RGB without transparency, rotated by its EXIF data; or the result
        of `fit`.

    Raises:
        UserError: the file is no image, damaged or too large.
    """
    return _read(path, lambda image, file: fit(image) if fit else image)


def read_encoded(path, encode):
    """Reads an image file and encodes it, with the limits and errors of `read_image`.

    `encode` is a function of the image, as `read_image` returns it, and the bytes of its file.
    """

    def use(image, file):
        file.seek(0)
        return encode(image, file.read())

    return _read(path, use)


def _read(path, use):
    try:
        with _opened(path) as file, _decoded(file) as image:
            return use(image, file)
    except UnusableImageError as problem:
        raise UserError(
            f"Expected an image that can be read ({problem}). Received: file={one_line(path)}"
        ) from None


def check_image(path) -> bytes:
    """Returns the SHA-256 of an image file; raises `UnusableImageError` if it can't be read."""
    with _opened(path) as file:
        with _decoded(file):
            pass
        file.seek(0)
        return hashlib.file_digest(file, "sha256").digest()


def _opened(path):
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise UnusableImageError("no regular file")
        if status.st_size == 0:
            raise UnusableImageError("empty file")
        if status.st_size > MAX_BYTES:
            raise UnusableImageError(f"more than {MAX_BYTES // 10**6} MB")
        return open(path, "rb")
    except (OSError, ValueError) as error:  # ValueError: no file can have such a name
        raise UnusableImageError(getattr(error, "strerror", None) or str(error)) from None


class _Room:
    """Bounds the pixels that threads decode at the same time."""

    def __init__(self, pixels):
        self._free = pixels
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, pixels):
        with self._changed:
            self._changed.wait_for(lambda: pixels <= self._free)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_ROOM = _Room(MAX_PIXELS)


@contextlib.contextmanager
def _decoded(file):
    from PIL import Image, UnidentifiedImageError

    silence_pillow()
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        raise UnusableImageError(f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image") from None
    except Image.DecompressionBombError:
        raise UnusableImageError(_TOO_LARGE) from None
    except Exception as error:
        raise _damage(error) from None
    with picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            raise UnusableImageError(f"{_TOO_LARGE}: {width} x {height}")
        if picture.mode[0] in "IF":  # Pillow would cut these off at 255
            raise UnusableImageError("more than 8 bits per channel")
        with _ROOM.taken(width * height):
            yield _pixels(picture)


def _pixels(picture) -> np.ndarray:
    from PIL import ImageOps

    try:
        picture.load()
        with contextlib.suppress(Exception):  # damaged EXIF data don't spoil the image
            ImageOps.exif_transpose(picture, in_place=True)
        return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
    except Exception as error:
        raise _damage(error) from None


def _damage(error) -> UnusableImageError:
    # Pillow's decoders raise exceptions of any type.
    reason = " ".join(str(error).split())[:160]
    return UnusableImageError(f"damaged: {reason or type(error).__name__}")


def channel_statistics(images, batch_size=256):
    """Computes mean and standard deviation of each channel, exactly and batch by batch.

    Args:
        images: (n, height, width, channels) uint8, an array or a memory map.
        batch_size: images at a time.

    Returns:
        Two lists of floats with 4 decimals; deviations are 1 at least, to divide by.
    """
    values = np.arange(256)
    histograms = np.zeros((images.shape[-1], 256), "int64")
    for first in range(0, len(images), batch_size):
        batch = np.asarray(images[first : first + batch_size])
        for channel, histogram in enumerate(histograms):
            histogram += np.bincount(batch[..., channel].ravel(), minlength=256)
    count = histograms[0].sum()
    means = histograms @ values / count
    variances = [
        histogram @ (values - mean) ** 2 / count
        for histogram, mean in zip(histograms, means, strict=True)
    ]
    mean = [round(float(one), 4) for one in means]
    return mean, [round(max(float(one) ** 0.5, 1.0), 4) for one in variances]
