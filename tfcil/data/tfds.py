"""Image classification sets of tensorflow-datasets, by name.

They are read from `$TFDS_DATA_DIR` (by default ~/tensorflow_datasets) and downloaded where they
are missing and the machine has internet.
"""

import os
from difflib import get_close_matches

import numpy as np

from tfcil.console import native_messages_hidden
from tfcil.data.datasets import Dataset, images_of_one_shape
from tfcil.errors import UserError


def load_tfds(name, train_split="train", test_split="test", image_size=None) -> Dataset:
    """Loads a data set with the features `image` and `label` from tensorflow-datasets.

    Args:
        name: its name there, for example `cifar100`; a version or configuration may follow it.
        train_split: split to learn from.
        test_split: split to evaluate on.
        image_size: side in pixels to resize to; `None` where all images have one shape.

    Raises:
        UserError: where the package or the data is missing, or it is not such a set.
    """
    try:
        with native_messages_hidden():
            # Imported by the first set that is read, and then not as quietly.
            import tensorflow  # noqa: F401
            import tensorflow_datasets as tfds
    except ImportError:
        raise UserError(
            f"dataset.name: `{name}` needs tensorflow-datasets: pip install 'tfcil[tfds]'. "
            f"Received: dataset.name={name}"
        ) from None
    builder = _builder(tfds, name)
    for key, split in {"train_split": train_split, "test_split": test_split}.items():
        if builder.info.splits and split.split("[")[0] not in builder.info.splits:
            raise UserError(
                f"dataset.{key}: {name} has the splits {', '.join(builder.info.splits)}. "
                f"Received: dataset.{key}={split}"
            )
    names = builder.info.features["label"].names
    train_images, train_labels = _read(tfds, builder, train_split, image_size)
    test_images, test_labels = _read(tfds, builder, test_split, image_size)
    return Dataset(train_images, train_labels, test_images, test_labels, tuple(names))


def _builder(tfds, name):
    try:
        builder = tfds.builder(name)
    except (ValueError, AssertionError, ImportError):  # an unknown name, version or namespace
        plain = name.lower().replace("-", "")
        close = get_close_matches(plain, ["omniglot100", *tfds.list_builders()], n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise UserError(
            f"dataset.name: expected omniglot100 or a set of tensorflow-datasets{hint}. "
            f"Received: dataset.name={name}"
        ) from None
    features = builder.info.features or {}
    if not {"image", "label"} <= set(features) or not hasattr(features["label"], "names"):
        raise UserError(
            "dataset.name: expected a set with the features `image` and `label` (one class per "
            f"image). Received: dataset.name={name}"
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # anything from a closed network to a full disk
        where = os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"dataset.name: {name} is not in {where} and could not be downloaded ({reason}). Run "
            f"once on a machine with internet: tfds build {name}; then set TFDS_DATA_DIR to its "
            f"folder. Received: dataset.name={name}"
        ) from None
    return builder


def _read(tfds, builder, split, image_size):
    shape = builder.info.features["image"].shape
    # Whole batches are quick to read; images of several shapes come one by one.
    batch_size = None if None in shape else 1000
    data = list(tfds.as_numpy(builder.as_dataset(split=split, batch_size=batch_size)))
    if batch_size:
        images = np.concatenate([batch["image"] for batch in data])
        labels = np.concatenate([batch["label"] for batch in data])
        if image_size is None:
            return images, labels.astype("int64")
    else:
        images = [example["image"] for example in data]
        labels = np.array([example["label"] for example in data])
    return images_of_one_shape(images, image_size, builder.name), labels.astype("int64")
