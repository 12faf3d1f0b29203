"""Image classification sets of tensorflow-datasets, by name.

They lie in `$TFDS_DATA_DIR` (default: ~/tensorflow_datasets); a missing one is downloaded.
"""

import os
from difflib import get_close_matches

import numpy as np

from tfcil.console import native_messages_hidden
from tfcil.data.splits import OpenDataset, Split
from tfcil.errors import UserError


def open_tfds(name, train_split="train", test_split="test") -> OpenDataset:
    """Opens a set of tensorflow-datasets that has the features `image` and `label`.

    Args:
        name: such as `cifar100`; a version or configuration may follow.
        train_split, test_split: the splits to train and to evaluate on.

    Raises:
        UserError: the package or the data is missing, or the set has other features.
    """
    try:
        with native_messages_hidden():
            # tensorflow-datasets imports it later, with its messages on the terminal.
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
    return OpenDataset(
        _split(tfds, builder, "train_split", train_split),
        _split(tfds, builder, "test_split", test_split),
        tuple(builder.info.features["label"].names),
    )


def _builder(tfds, name):
    try:
        builder = tfds.builder(name)
    except (ValueError, AssertionError, ImportError):  # an unknown name, version or namespace
        plain = name.lower().replace("-", "")
        close = get_close_matches(plain, ["omniglot100", "folder", *tfds.list_builders()], n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise UserError(
            "dataset.name: expected omniglot100, folder or a set of tensorflow-datasets"
            f"{hint}. Received: dataset.name={name}"
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


def _split(tfds, builder, key, split) -> Split:
    import tensorflow as tf

    # Files, and so examples, come in the same order each time.
    examples = builder.as_dataset(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    batches = examples.map(lambda example: example["label"]).batch(1000)
    labels = np.concatenate(list(batches.as_numpy_iterator())).astype("int64")
    if labels.min() < 0:
        raise UserError(
            f"dataset.{key}: expected a split with labels, this one of {builder.name} has images "
            f"without. Received: dataset.{key}={split}"
        )
    feature = builder.info.features["image"]

    def images(chosen):
        mask = tf.data.Dataset.from_tensor_slices(chosen)
        encoded = tf.data.Dataset.zip(examples, mask).filter(lambda example, keep: keep)
        decoded = encoded.map(
            lambda example, keep: feature.decode_example(example["image"]),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        return decoded.as_numpy_iterator()

    return Split(labels, images)
