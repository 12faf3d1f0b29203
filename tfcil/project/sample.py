"""Some of the embedded images as a folder per class, for whoever has none at hand."""

from pathlib import Path

import numpy as np

from tfcil.config.params import Dataset
from tfcil.data.datasets import load_dataset
from tfcil.errors import UserError
from tfcil.files import write_atomically


def write_sample(folder, first=0, classes=6) -> int:
    """Writes Omniglot characters as FOLDER/CLASS/NUMBER.png.

    Args:
        folder: where a folder per class is made.
        first: number of the first class, of 100.
        classes: how many.

    Returns:
        The number of images.

    Raises:
        UserError: where there are no such classes.
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
    written = 0
    for label in range(first, first + classes):
        # images_background/Alphabet/character01
        name = "_".join(dataset.class_names[label].split("/")[1:])
        with write_atomically(Path(folder) / name) as aside:
            aside.mkdir()
            for number, image in enumerate(images[labels == label]):
                Image.fromarray(image[..., 0]).save(aside / f"{number:02}.png")
                written += 1
    return written
