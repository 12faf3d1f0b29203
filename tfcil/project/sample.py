"""Writes some of the embedded images as a folder per class, to try a project without images."""

from pathlib import Path

import numpy as np

from tfcil.config.params import Dataset
from tfcil.data.datasets import load_dataset
from tfcil.errors import UserError
from tfcil.files import write_atomically


def write_sample(folder, first=0, classes=6) -> int:
    """Writes `classes` of the 100 embedded characters, from number `first` on; counts the images.

    The images are FOLDER/CLASS/NUMBER.png.
    """
    from PIL import Image

    dataset = load_dataset(Dataset(name="omniglot100"))
    known = len(dataset.class_names)
    if first < 0 or classes < 1 or first + classes > known:
        raise UserError(
            f"Expected some of the {known} embedded classes. "
            f"Received: first={first}, classes={classes}"
        )
    images = np.concatenate([dataset.train_images, dataset.test_images])
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    for label in range(first, first + classes):
        # images_background/Alphabet/character01
        name = "_".join(dataset.class_names[label].split("/")[1:])
        with write_atomically(Path(folder) / name) as aside:
            aside.mkdir()
            for number, image in enumerate(images[labels == label]):
                Image.fromarray(image[..., 0]).save(aside / f"{number:02}.png")
    return np.count_nonzero((first <= labels) & (labels < first + classes))
