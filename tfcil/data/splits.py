"""A data set that is read while it is used: labels at once, images one at a time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tfcil.data.threads import map_in_order
from tfcil.errors import UserError


@dataclass(frozen=True)
class Split:
    """The training or the test images of a data set, perhaps more than memory holds.

    Args:
        labels: (n,) int64, in the data set's numbering.
        items: function from a mask, (n,) bool, to an iterable of the chosen images or their paths.
        decode: function from an item to an image, (height, width, channels) uint8 or `Encoded`;
            `None` where items are images.
    """

    labels: np.ndarray
    items: Callable[[np.ndarray], Iterable]
    decode: Callable | None = None

    def images(self, chosen=None) -> Iterator[np.ndarray]:
        """Yields the images of a mask, (n,) bool, or all, in order; only a few are in memory."""
        items = self.items(np.ones(len(self.labels), bool) if chosen is None else chosen)
        return iter(items) if self.decode is None else map_in_order(self.decode, items)

    def map(self, function) -> "Split":
        """Returns the same split with a function applied to each image."""
        decode = self.decode
        return replace(self, decode=lambda item: function(decode(item) if decode else item))


@dataclass(frozen=True)
class OpenDataset:
    """A data set that is read while it is used.

    Args:
        train, test: its splits.
        class_names: name of each label.
        skipped: path, class and reason of each image that cannot be used.
    """

    train: Split
    test: Split
    class_names: tuple[str, ...]
    skipped: tuple[tuple[str, str, str], ...] = ()


def of_one_shape(images, name, image_size, shape=None) -> Iterator[np.ndarray]:
    """Yields images of one shape (`None`: that of the first), and raises a UserError for another.

    The message names the data set and the setting `image_size`.
    """
    for image in images:
        shape = shape or image.shape
        if image.shape != shape:
            raise UserError(
                f"dataset.image_size: {name} has images of the shapes {shape} and {image.shape}, "
                "expected a side in pixels to resize them to. "
                f"Received: dataset.image_size={image_size}"
            )
        yield image
