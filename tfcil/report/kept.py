"""The exemplars of a memory file, of which only the pictures that are looked at are read."""

from dataclasses import dataclass

import numpy as np

from tfcil.errors import UserError
from tfcil.files import load_npz, map_npz


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
        images = map_npz(path, "images")
        if images.dtype != np.uint8 or images.ndim != 4:
            raise UserError(
                "Expected uint8 images (n, height, width, channels). "
                f"Received: {images.dtype} of shape {images.shape} in path={path}"
            )
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
