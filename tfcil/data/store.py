"""The stored images of a task: memory-mapped files in a folder, and their digests.

data/train/02/images.npy    (n, height, width, channels) uint8
data/train/02/images.bin    in place of images.npy, where they are encoded: JPEG and PNG files
data/train/02/index.npz     where each of these ends, and how they are read: see `EncodedImages`
data/train/02/labels.npy    (n,) int32, ranks in the class order
data/train/02/task.json     names of all classes seen so far, and how images are resized
"""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np

from tfcil.data.encoded import Encoded, EncodedImages
from tfcil.errors import UserError
from tfcil.files import digest, load_npz, read_json, save_npz, write_json

_CONTENTS, _INDEX = "images.bin", "index.npz"


def create_images(folder, labels, image_shape) -> np.memmap:
    """Creates the folder of a task, stores its labels, and returns a memory map for its images.

    `labels` are (n,) integers, `image_shape` is (height, width, channels); the memory map is
    (n, height, width, channels) uint8.
    """
    folder = _create(folder, labels)
    file = folder / "images.npy"
    images = np.lib.format.open_memmap(file, "w+", np.uint8, (len(labels), *image_shape))
    # On a full disk, writing to a memory map kills the process; allocating raises OSError.
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)
    return images


@contextlib.contextmanager
def writing_images(folder, labels, first):
    """Creates the folder of a task, and yields a function that stores its images one by one.

    Args:
        folder: of the task.
        labels: (n,) integers.
        first: the first image, (height, width, channels) uint8 or `Encoded`; the others are alike.
    """
    if not isinstance(first, Encoded):
        images, places = create_images(folder, labels, first.shape), iter(range(len(labels)))

        def store(image):
            images[next(places)] = image

        yield store
        return
    folder = _create(folder, labels)
    about = []  # without the contents
    with (folder / _CONTENTS).open("wb") as file:

        def store(image):
            file.write(image.contents)
            about.append((file.tell(), *image.size))

        yield store
    ends, *sizes = np.array(about, np.int64).T
    images = EncodedImages(
        _mapped(folder), ends, np.int32(sizes).T, first.shape, resize=first.resize
    )
    save_npz(folder / _INDEX, **images.index())


def _create(folder, labels) -> Path:
    folder = Path(folder)
    folder.mkdir(parents=True)
    write_labels(folder, labels)
    return folder


def write_labels(folder, labels) -> None:
    """Writes labels.npy, or writes it anew; `labels` are (n,) integers."""
    np.save(Path(folder) / "labels.npy", np.asarray(labels, "int32"))


def _mapped(folder) -> np.memmap:
    return np.memmap(folder / _CONTENTS, np.uint8, "r")


def read_images(folder, expected_digest=None):
    """Opens the images (a memory map or `EncodedImages`) and labels of a task's folder.

    Raises:
        UserError: they are missing or damaged, or have another digest than the expected one.
    """
    folder = Path(folder)
    try:
        if (folder / _INDEX).exists():
            index = load_npz(folder / _INDEX, *EncodedImages.INDEX)
            images = EncodedImages(_mapped(folder), *index)
        else:
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
    if expected_digest and images_digest(images, labels) != expected_digest:
        raise UserError(
            f"Expected the images that were prepared, these are others: run the stage prepare "
            f"again. Received: folder={folder}"
        )
    return images, labels


def images_digest(images, labels) -> str:
    """Computes the digest of images, as they are stored, and their labels."""
    if isinstance(images, EncodedImages):
        return digest(images.contents, *images.index().values(), labels)
    return digest(images, labels)


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
    take = images.encoded if isinstance(images, EncodedImages) else images.__getitem__
    rest = folder.with_name(f"{folder.name}.rest")
    for place, mask in ((target, chosen), (rest, ~chosen)):
        indices = np.flatnonzero(mask)
        with writing_images(place, labels[mask], take(indices[0])) as store:
            for index in indices:
                store(take(index))
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
        parts: arrays, memory maps or `EncodedImages` of equal dtype; their shapes differ in the
            first axis only. Those without a row are left out.

    Example:
        >>> both = Concatenated(np.zeros((2, 3)), np.ones((1, 3)))
        >>> both[[2, 0]].tolist()
        [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, *parts):
        kinds = {(part.dtype, part.shape[1:]) for part in parts}
        if len(kinds) != 1:
            raise ValueError(f"parts must have one dtype and one shape. Received: {kinds}")
        self._parts = [part for part in parts if len(part)] or parts[:1]
        self._ends = np.cumsum([len(part) for part in self._parts])
        self._positions = np.arange(self._ends[-1])
        self.dtype = parts[0].dtype
        self.shape = (len(self._positions), *parts[0].shape[1:])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Reads by a number, a slice or an array of indices into the first axis."""
        positions = np.asarray(self._positions[index])
        result = np.empty((*positions.shape, *self.shape[1:]), self.dtype)
        for part, inside, rows in self._parts_of(positions):
            result[inside] = part[rows]
        return result

    @property
    def aspects(self):
        """Those of encoded images, see `EncodedImages`; `None` where a part is an array."""
        parts = [getattr(part, "aspects", None) for part in self._parts]
        return None if any(part is None for part in parts) else np.concatenate(parts)

    def cropped(self, positions, draws) -> np.ndarray:
        """Decodes drawn boxes of encoded images, see `EncodedImages.cropped`."""
        positions = self._positions[positions]
        result = np.empty((len(positions), *self.shape[1:]), self.dtype)
        for part, inside, rows in self._parts_of(positions):
            result[inside] = part.cropped(rows, draws[inside])
        return result

    def _parts_of(self, positions):
        """Yields each part, which positions lie in it, and their rows there."""
        part_of = np.searchsorted(self._ends, positions, side="right")
        for number, (part, end) in enumerate(zip(self._parts, self._ends, strict=True)):
            inside = part_of == number
            yield part, inside, positions[inside] - end + len(part)
