"""A data set by its name: images, labels and class names, for learning and for evaluation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfcil.errors import UserError
from tfcil.files import load_npz


@dataclass(frozen=True)
class Dataset:
    """Images as they came, with the data set's own labels.

    Args:
        train_images, test_images: (n, height, width, channels) uint8.
        train_labels, test_labels: (n,) int64.
        class_names: name of each label.
    """

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    class_names: tuple[str, ...]


def load_dataset(params) -> Dataset:
    """Loads the data set that the section `dataset` of params.yaml names.

    Args:
        params: the section.

    Raises:
        UserError: where there is no such data set, or it is not here and how to get it.
    """
    if params.name == "omniglot100":
        return _omniglot100()
    from tfcil.data.tfds import load_tfds

    return load_tfds(params.name, params.train_split, params.test_split, params.image_size)


def _omniglot100() -> Dataset:
    path = Path(__file__).with_name("omniglot100.npz")
    train_images, train_labels, test_images, test_labels, names = load_npz(
        path, "x_train", "y_train", "x_test", "y_test", "class_names"
    )
    return Dataset(
        train_images[..., None],
        train_labels.astype("int64"),
        test_images[..., None],
        test_labels.astype("int64"),
        tuple(str(name) for name in names),
    )


def images_of_one_shape(images, image_size, name) -> np.ndarray:
    """Stacks images, resized to squares where a size is given.

    Raises:
        UserError: where they have several shapes and no size is given.
    """
    if image_size is not None:
        images = [_resize(image, image_size) for image in images]
    shapes = {image.shape for image in images}
    if len(shapes) != 1:
        raise UserError(
            f"dataset.image_size: {name} has images of {len(shapes)} different shapes, "
            "expected a side in pixels to resize them to. "
            f"Received: dataset.image_size={image_size}"
        )
    return np.stack(images)


def _resize(image, size) -> np.ndarray:
    from PIL import Image

    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    resized = np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    return resized.reshape(size, size, image.shape[-1])
