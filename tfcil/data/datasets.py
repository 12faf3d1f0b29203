"""Opens the data set that the section `dataset` of params.yaml describes."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tfcil.data.classes import restrict
from tfcil.data.encoded import encode
from tfcil.data.images import read_encoded, read_image
from tfcil.data.own_images import open_own_images, own_class_names
from tfcil.data.pictures import resize
from tfcil.data.splits import OpenDataset, Split, of_one_shape
from tfcil.data.tfds import open_tfds
from tfcil.files import load_npz


@dataclass(frozen=True)
class LoadedDataset:
    """A data set in memory.

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


def open_dataset(params, used=None) -> OpenDataset:
    """Opens a data set; images are read when they are iterated, `Encoded` if `store` says so.

    Of a folder, all images are read once before, to find those that cannot be used.

    Args:
        params: the section `dataset` of params.yaml.
        used: function from the names of all classes to the classes that are used; the images of
            the others may be left out. `None`: all are used.

    Raises:
        UserError: there is no such data set, or it is not on this machine and how to get it.
    """
    size = params.image_size
    if params.store == "encoded":
        fit = partial(encode, size=size, resize=params.resize)
        read = partial(read_encoded, encode=fit)
    else:
        fit = partial(resize, size=size, how=params.resize) if size else None
        read = partial(read_image, fit=fit)
    if params.name == "folder":
        return open_own_images(params, used, read)
    if params.name == "omniglot100":
        dataset = _omniglot100()
    else:
        dataset = open_tfds(params.name, params.train_split, params.test_split)
    if params.classes is not None:
        dataset = restrict(dataset, params.classes)
    if fit is None:
        return dataset
    return OpenDataset(dataset.train.map(fit), dataset.test.map(fit), dataset.class_names)


def class_names(params) -> tuple[str, ...]:
    """Returns the names of the classes, by the arguments of `open_dataset`; opens no image file."""
    return own_class_names(params) if params.name == "folder" else open_dataset(params).class_names


def load_dataset(params) -> LoadedDataset:
    """Reads a whole data set into memory, by the arguments of `open_dataset`.

    `long_tail` and `label_noise` are not applied: they depend on the tasks.

    Raises:
        UserError: as `open_dataset`, or the images have several shapes.
    """
    dataset = open_dataset(params.model_copy(update={"store": "raw"}))
    train, test = (
        np.stack(list(of_one_shape(split.images(), params.name, params.image_size)))
        for split in (dataset.train, dataset.test)
    )
    return LoadedDataset(
        train, dataset.train.labels, test, dataset.test.labels, dataset.class_names
    )


def _omniglot100() -> OpenDataset:
    path = Path(__file__).with_name("omniglot100.npz")
    *arrays, names = load_npz(path, "x_train", "y_train", "x_test", "y_test", "class_names")
    train, test = (
        Split(labels.astype("int64"), images[..., None].__getitem__)
        for images, labels in (arrays[:2], arrays[2:])
    )
    return OpenDataset(train, test, tuple(map(str, names)))
