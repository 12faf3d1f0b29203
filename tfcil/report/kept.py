"""The exemplars of a memory file, of which only the pictures that are looked at are read."""

import zipfile
from dataclasses import dataclass

import numpy as np

from tfcil.errors import UserError
from tfcil.files import load_npz

_HEADER = 30  # bytes of a zip member's header before its name


@dataclass(frozen=True, eq=False)
class Kept:
    """Exemplars, sorted by class and then by rank.

    Attributes:
        images: (n, height, width, channels) uint8, a memory map.
        labels: (n,) their classes.
        ranks: (n,) rank within the class: 0 was picked first and is dropped last.
    """

    images: np.ndarray
    labels: np.ndarray
    ranks: np.ndarray

    @classmethod
    def open(cls, path) -> "Kept":
        """Opens memory/KEY.npz. A thousand classes' exemplars may be gigabytes."""
        labels, ranks = load_npz(path, "labels", "ranks")
        try:
            images = _map_member(path, "images.npy")
        except (OSError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile) as error:
            raise UserError(
                f"Expected an exemplar memory ({error}). Received: path={path}"
            ) from None
        if not len(images) == len(labels) == len(ranks):
            raise UserError(f"Expected a label per exemplar. Received: path={path}")
        return cls(images, labels, ranks)

    def of_class(self, label: int) -> np.ndarray:
        """Returns the images of a class, best rank first."""
        first, last = np.searchsorted(self.labels, (label, label + 1))
        return self.images[first:last]

    def counts(self, num_classes: int) -> np.ndarray:
        """Counts the exemplars of each class: (num_classes,)."""
        return np.bincount(self.labels, minlength=num_classes)[:num_classes]


def _map_member(path, name) -> np.ndarray:
    """Maps an array of an npz that is stored without compression."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise NotImplementedError("it is compressed")
    with open(path, "rb") as file:
        file.seek(member.header_offset)
        header = file.read(_HEADER)
        lengths = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
        file.seek(sum(lengths), 1)
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = read(file)
        offset = file.tell()
    if dtype != np.uint8 or len(shape) != 4 or fortran:
        raise ValueError(f"its images are {dtype} of shape {shape}")
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape)
