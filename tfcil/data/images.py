"""Single images: read from a file, brought to a size, and what many have in common."""

import numpy as np

from tfcil.errors import UserError


def read_image(path) -> np.ndarray:
    """Reads an image file as it is meant to be seen.

    Args:
        path: the file; of a moving picture the first frame is taken.

    Returns:
        (height, width, 3) uint8: red, green and blue, turned as its EXIF data say.

    Raises:
        UserError: where the file is no image or damaged.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as picture:
            if picture.mode[0] in "IF":  # Pillow would cut these off at 255
                raise ValueError("more than 8 bits per channel")
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except Exception as error:  # each decoder of Pillow raises what it likes
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"dataset.path: expected images that can be read ({reason}). Received: file={path}"
        ) from None


def resize(image, size, how="stretch") -> np.ndarray:
    """Computes a square image, by Pillow's bilinear interpolation with antialiasing.

    Args:
        image: (height, width, channels) uint8.
        size: side in pixels.
        how: `"stretch"`: the whole image, whatever its proportions; `"crop"`: its middle, as
            ImageNet models are evaluated: the shorter side becomes 256/224 of `size`, and what lies
            outside the central square is cut off.

    Returns:
        (size, size, channels) uint8.
    """
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if how == "stretch":
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    else:
        shorter, before = round(size * 256 / 224), min(picture.size)
        width, height = (shorter * side // before for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        left, top = round((width - size) / 2), round((height - size) / 2)
        picture = picture.crop((left, top, left + size, top + size))
    return np.asarray(picture).reshape(size, size, image.shape[-1])


def channel_statistics(images, batch_size=256):
    """Computes mean and standard deviation of each channel, exactly and batch by batch.

    Args:
        images: (n, height, width, channels) uint8, an array or a memory map.
        batch_size: images at a time.

    Returns:
        Two lists of floats with 4 decimals; a deviation is 1 at least: one may divide by it.
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
