"""Crops and flips images as drawn by `tfcil.layers.draws`, and resizes them."""

from keras import ops


def augment(images, draws, augmentation):
    """Crops and flips the images of a batch as drawn; keeps their shape and dtype.

    Args:
        images: (batch, height, width, channels), any dtype.
        draws: the result of `draw`.
        augmentation: the `Augmentation` that `draw` got.
    """
    if augmentation.while_reading:
        return images
    if augmentation.resized_crop:
        return _resize_boxes(images, draws)
    return crop_and_flip(images, draws, augmentation.crop_padding)


def resize(images, side):
    """Resizes the images of a batch so that their shorter side has `side` pixels.

    Each new pixel is a weighted mean of those that it covers: bilinear with antialiasing.

    Args:
        images: (batch, height, width, channels), any dtype.
        side: in pixels; `None`: the images as they are.

    Returns:
        The images, float32 where they were resized.
    """
    if side is None:
        return images
    size = resized_shape(images.shape[1:], side)[:2]
    images = ops.cast(images, "float32")
    return ops.image.resize(
        images, size, interpolation="bilinear", antialias=True, data_format="channels_last"
    )


def resized_shape(shape, side) -> tuple[int, int, int]:
    """Returns the shape of images (height, width, channels) after `resize`."""
    height, width, channels = shape
    shorter = min(height, width)
    return round(height * side / shorter), round(width * side / shorter), channels


def _resize_boxes(images, draws):
    """Resizes a box of each image to the image's size, bilinearly, and flips it left to right."""
    _, height, width, _ = images.shape
    top, left, box_height, box_width, mirrored = ops.split(draws, 5, axis=1)
    rows = (ops.arange(height, dtype="float32") + 0.5) / height
    columns = (ops.arange(width, dtype="float32") + 0.5) / width
    columns = ops.where(mirrored > 0, 1 - columns, columns)
    # A box is never shrunk, so each output pixel lies between two input pixels along each axis.
    # Their weights form a matrix per axis: two matrix products are faster than gathering.
    vertical = _bilinear_weights(top + box_height * rows, height)
    horizontal = _bilinear_weights(left + box_width * columns, width)
    result = ops.einsum("bij,bjkc->bikc", vertical, ops.cast(images, "float32"))
    result = ops.einsum("bkl,bilc->bikc", horizontal, result)
    if "int" in ops.dtype(images):
        result = ops.round(result)
    return ops.cast(result, images.dtype)


def _bilinear_weights(places, size):
    """Returns the weights of `size` pixels, (batch, n, size), at places (batch, n) in [0, 1]."""
    centers = ops.arange(size, dtype="float32")
    places = ops.clip(places * size - 0.5, 0, size - 1)
    return ops.relu(1 - ops.abs(places[:, :, None] - centers))


def crop_and_flip(images, draws, crop_padding):
    """Pads each image with zeros, crops it to its size and flips it left to right, as drawn.

    One gather does all: it looks up every output pixel in the padded batch.
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
