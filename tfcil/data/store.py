"""The stored images of a task: memory-mapped arrays in a folder, and their digests.

data/train/02/images.npy    (n, height, width, channels) uint8
data/train/02/labels.npy    (n,) int32, ranks in the class order
data/train/02/task.json     names of all classes seen so far, and how images are resized
"""

import os
import shutil
from pathlib import Path

import numpy as np

from tfcil.errors import UserError
from tfcil.files import digest, read_json, write_json


def create_images(folder, labels, image_shape) -> np.memmap:
    """Creates the folder of a task, stores its labels, and returns a memory map for its images.

    `labels` are (n,) integers, `image_shape` is (height, width, channels); the memory map is
    (n, height, width, channels) uint8.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    np.save(folder / "labels.npy", np.asarray(labels, "int32"))
    file = folder / "images.npy"
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (len(labels), *image_shape))
    # On a full disk, writing to a memory map kills the process; allocating raises OSError.
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return images


def read_images(folder, expected_digest=None):
    """Opens the images (a memory map) and labels of a task's folder.

    Raises:
        UserError: they are missing or damaged, or have another digest than the expected one.
    """
    folder = Path(folder)
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / "labels.npy", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(
            f"Expected the images of a prepared task ({error}). Received: folder={folder}"
        ) from None
    if not _fit_together(images, labels):
        raise UserError(
            "Expected uint8 images (n, height, width, channels) and n labels from 0 on. Received: "
            f"{images.dtype} {images.shape}, {labels.dtype} {labels.shape} in folder={folder}"
        )
    if expected_digest and digest(images, labels) != expected_digest:
        raise UserError(
            f"Expected the images that were prepared, these are others: run the stage prepare "
            f"again. Received: folder={folder}"
        )
    return images, labels


def _fit_together(images, labels) -> bool:
    return (
        (images.dtype, images.ndim) == (np.uint8, 4)
        and np.issubdtype(labels.dtype, np.integer)
        and labels.shape == images.shape[:1]
        and len(labels) > 0
        and labels.min() >= 0
    )


def move_images(folder, target, chosen) -> None:
    """Moves the images of a mask, (n,) bool, and their labels to a new folder."""
    folder = Path(folder)
    images, labels = read_images(folder)
    rest = folder.with_name(f"{folder.name}.rest")
    for place, mask in ((target, chosen), (rest, ~chosen)):
        stored = create_images(place, labels[mask], images.shape[1:])
        for position, index in enumerate(np.flatnonzero(mask)):
            stored[position] = images[index]
    shutil.rmtree(folder)
    rest.rename(folder)


def write_facts(folder, **facts) -> None:
    """Writes task.json."""
    write_json(Path(folder) / "task.json", facts)


def read_facts(folder) -> dict:
    """Reads task.json."""
    return read_json(Path(folder) / "task.json")


class Concatenated:
    """Arrays, one after the other, that are read only where they are indexed.

    Args:
        parts: arrays or memory maps of equal dtype; their shapes differ in the first axis only.

    Example:
        >>> both = Concatenated(np.zeros((2, 3)), np.ones((1, 3)))
        >>> both[[2, 0]].tolist()
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, *parts):
        kinds = {(part.dtype, part.shape[1:]) for part in parts}
        if len(kinds) != 1:
            raise ValueError(f"parts must have one dtype and one shape. Received: {kinds}")
        self._parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._positions = np.arange(self._ends[-1])
        self.dtype = parts[0].dtype
        self.shape = (len(self._positions), *parts[0].shape[1:])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Reads by a number, a slice or an array of indices into the first axis."""
        positions = np.asarray(self._positions[index])
        result = np.empty((*positions.shape, *self.shape[1:]), self.dtype)
        part_of = np.searchsorted(self._ends, positions, side="right")
        for number, (part, end) in enumerate(zip(self._parts, self._ends, strict=True)):
            inside = part_of == number
            result[inside] = part[positions[inside] - end + len(part)]
        return result
