"""The stored images of a task: memory-mapped arrays in a folder, and their digests.

data/train/02/images.npy    (n, height, width, channels) uint8
data/train/02/labels.npy    (n,) int32, ranks in the class order
data/train/02/task.json     names of all classes seen so far
"""

from pathlib import Path

import numpy as np

from tfcil.errors import UserError
from tfcil.files import digest, read_json, write_json


def write_images(folder, images, labels, **facts) -> str:
    """Writes a task's images, labels and, where there are any, facts; returns their digest."""
    folder = Path(folder)
    folder.mkdir(parents=True)
    labels = np.asarray(labels, "int32")
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    if facts:
        write_json(folder / "task.json", facts)
    return digest(images, labels)


def read_images(folder, expected_digest=None):
    """Opens a task's images.

    Args:
        folder: as given to `write_images`.
        expected_digest: refuse the images if they are others.

    Returns:
        images, a memory map, and labels.

    Raises:
        UserError: where they are missing, damaged or not the expected ones.
    """
    folder = Path(folder)
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"Expected the images of a prepared task ({error}). Received: folder={folder}"
        ) from None
    if expected_digest and digest(images, labels) != expected_digest:
        raise UserError(
            f"Expected the images that were prepared, these are others: run the stage prepare "
            f"again. Received: folder={folder}"
        )
    return images, labels


def read_facts(folder) -> dict:
    """Reads the facts that were given to `write_images`."""
    return read_json(Path(folder) / "task.json")
