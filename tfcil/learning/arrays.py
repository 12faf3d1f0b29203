"""What a person gives, as arrays: images, and their classes' names."""

import numpy as np

from tfcil.errors import UserError

INFINITE = -1  # what `tf.data.Dataset.cardinality` says of one that never ends


def collected(images, labels=None):
    """Collects images and the names of their classes in the memory of this process.

    Args:
        images: (n, height, width, channels) numbers; or, without labels, a `tf.data.Dataset` or
            anything else to iterate over that gives pairs of images and labels, batched or not.
        labels: (n,) class names or integers, in an array or a list. A data set of
            `keras.utils.image_dataset_from_directory` brings the names of its integers.

    Returns:
        The images, uint8 or float32, and the list of their labels, strings or integers.

    Raises:
        UserError: where they are no such images or labels, or not as many.
    """
    if labels is None:
        images, labels = _pairs(images)
    images, labels = checked_images(images), names_in(labels)
    if len(images) != len(labels):
        raise UserError(
            f"Expected one label per image. Received: {len(images)} images, {len(labels)} labels"
        )
    return images, labels


def _pairs(source):
    size = getattr(source, "cardinality", None)
    if size is not None and int(size()) == INFINITE:
        raise UserError(
            "Expected a data set that ends: leave out repeat(). Received: an infinite data set"
        )
    images, labels = [], []
    try:
        if hasattr(source, "ndim"):
            raise TypeError("an array without labels")
        for some_images, some_labels in source:
            some_images, some_labels = np.asarray(some_images), np.asarray(some_labels)
            single = some_images.ndim == 3
            images.append(some_images[None] if single else some_images)
            labels.append(some_labels[None] if single else some_labels)
        images, labels = np.concatenate(images), np.concatenate(labels)
    except (TypeError, ValueError) as error:
        raise UserError(
            "Expected images and labels, or pairs of both to iterate over "
            f"({' '.join(str(error).split())[:120]}). Received: {type(source).__name__}"
        ) from None
    names = getattr(source, "class_names", None)
    return images, labels if names is None else np.asarray(names)[labels]


def checked_images(images):
    """Returns images as an array of uint8 or float32; what is none is a `UserError`."""
    try:
        images = np.asarray(images)
    except ValueError:
        raise UserError(
            "Expected images of one size in one array. Received: images of several shapes"
        ) from None
    if images.ndim != 4 or not len(images):
        raise UserError(
            "Expected at least one image, (n, height, width, channels); images[..., None] makes a "
            f"channel of grey ones. Received: images of shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "iuf" or not np.isfinite(images).all():
        raise UserError(
            "Expected images of uint8, or of floats that are finite. "
            f"Received: images of {images.dtype}"
        )
    if images.dtype.kind == "f":
        return images.astype("float32", copy=False)
    return _bytes(images)


def _bytes(images):
    if images.min() < 0 or images.max() > 255:
        raise UserError(
            "Expected integers of 0 to 255 in images. "
            f"Received: {images.min()} to {images.max()}, {images.dtype}"
        )
    return images.astype("uint8")


def alike(images, memory):
    """Brings images to the type of those in the memory, where that changes nothing.

    Raises:
        UserError: where they differ in size, or in type: most likely one is scaled, the other not.
    """
    if memory is None:
        return images
    if images.shape[1:] != memory.images.shape[1:]:
        raise UserError(
            f"Expected images of shape (n, {str(memory.images.shape[1:])[1:]} as so far. "
            f"Received: shape {images.shape}"
        )
    wanted, largest = memory.images.dtype, images.max()
    if images.dtype == wanted:
        return images
    if wanted == np.uint8 and 1 < largest <= 255 and not np.any(images % 1) and images.min() >= 0:
        return images.astype("uint8")
    raise UserError(
        f"Expected images of {wanted} as so far, scaled alike. "
        f"Received: {images.dtype} of {images.min():g} to {largest:g}"
    )


def names_in(labels) -> list:
    """Returns class names or integers as a list; what are neither is a `UserError`."""
    # As objects: NumPy would turn the integers of a mixed list into strings.
    labels = np.asarray(labels, None if hasattr(labels, "dtype") else object)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise UserError(
            "Expected one class name or integer per image; labels.argmax(axis=1) turns one-hot "
            f"ones into integers. Received: labels of shape {labels.shape}"
        )
    found = [one.item() if isinstance(one, np.generic) else one for one in labels.tolist()]
    found = [one.decode() if isinstance(one, bytes) else one for one in found]
    kinds = {type(one) for one in found}
    if kinds not in ({str}, {int}):
        raise UserError(
            "Expected class names (strings) or integers as labels. "
            f"Received: {', '.join(sorted(kind.__name__ for kind in kinds)) or 'no label'}"
        )
    return found
