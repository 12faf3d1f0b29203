"""Converts images and class names, however they are given, to an array and a list."""

import numpy as np

from tfcil.errors import UserError

INFINITE = -1  # `tf.data.Dataset.cardinality` of a data set that never ends


def collected(images, labels=None, memory=None):
    """Returns images, uint8 or float32, and the list of their labels, strings or integers.

    Without labels, `images` is a `tf.data.Dataset` or another iterable of pairs, batched or not;
    `class_names`, as from `keras.utils.image_dataset_from_directory`, replace its integers. Images
    must fit those of the `ExemplarMemory`, if there is one.

    Raises:
        UserError: where images or labels are of another kind, or their numbers differ.
    """
    if labels is None:
        images, labels = _pairs(images)
    images, labels = checked_images(images), names_in(labels)
    if len(images) != len(labels):
        raise UserError(
            f"Expected one label per image. Received: {len(images)} images, {len(labels)} labels"
        )
    return alike(images, memory), labels


def _pairs(source):
    size = getattr(source, "cardinality", None)
    if size is not None and int(size()) == INFINITE:
        raise UserError(
            "Expected a data set that ends: leave out repeat(). Received: an infinite data set"
        )
    try:
        if hasattr(source, "ndim"):
            raise TypeError("an array without labels")
        pairs = [(np.asarray(x), np.asarray(y)) for x, y in source]
        batches = [(x[None], y[None]) if x.ndim == 3 else (x, y) for x, y in pairs]
        images = np.concatenate([x for x, _ in batches])
        labels = np.concatenate([y for _, y in batches])
    except (TypeError, ValueError) as error:
        raise UserError(
            "Expected images and labels, or pairs of both to iterate over "
            f"({' '.join(str(error).split())[:120]}). Received: {type(source).__name__}"
        ) from None
    names = getattr(source, "class_names", None)
    return images, labels if names is None else np.asarray(names)[labels]


def checked_images(images):
    """Returns images as an array of uint8 or float32, or raises a `UserError`."""
    try:
        images = np.asarray(images)
    except ValueError:
        raise UserError(
            "Expected images of one size in one array. Received: images of several shapes"
        ) from None
    if images.ndim != 4 or not len(images):
        raise UserError(
            "Expected at least one image, (n, height, width, channels); images[..., None] adds a "
            f"channel to grey ones. Received: images of shape {images.shape}"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "iuf" or not np.isfinite(images).all():
        raise UserError(
            f"Expected images of uint8 or of finite floats. Received: images of {images.dtype}"
        )
    if images.dtype.kind == "f":
        return images.astype("float32", copy=False)
    if images.min() < 0 or images.max() > 255:
        raise UserError(
            "Expected integers of 0 to 255 in images. "
            f"Received: {images.min()} to {images.max()}, {images.dtype}"
        )
    return images.astype("uint8")


def alike(images, memory):
    """Converts images to the dtype of those in the memory, where no value changes.

    Raises:
        UserError: where size or dtype differ: most likely, some images are scaled and others not.
    """
    if memory is None:
        return images
    shape, dtype = memory.images.shape[1:], memory.images.dtype
    if images.shape[1:] != shape:
        raise UserError(
            f"Expected images of shape (n, {str(shape)[1:]} as so far. "
            f"Received: shape {images.shape}"
        )
    if images.dtype == dtype:
        return images
    least, largest = images.min(), images.max()
    if dtype == np.uint8 and least >= 0 and 1 < largest <= 255 and not np.any(images % 1):
        return images.astype("uint8")
    raise UserError(
        f"Expected images of {dtype} as so far, scaled alike. "
        f"Received: {images.dtype} of {least:g} to {largest:g}"
    )


def names_in(labels) -> list:
    """Returns class names or integers as a list, or raises a `UserError`."""
    # Of objects: NumPy would turn the integers of a mixed list into strings.
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


def numbers_in(labels, classes):
    """Returns the place of each label among the classes, (n,) integers."""
    number_of = {name: number for number, name in enumerate(classes)}
    return np.array([number_of[label] for label in labels])
