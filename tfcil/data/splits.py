"""What a data set is to the rest of tfcil: labels at once, images one at a time."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from tfcil.errors import UserError


@dataclass(frozen=True)
class Split:
    """The images to learn from, or those to evaluate on; they may be more than memory holds.

    Args:
        labels: (n,) int64, the data set's own.
        items: function from a mask, (n,) bool, to what the chosen images are made of, in order.
        decode: function from one of these to an image, (height, width, channels) uint8; `None`
            where they are images already.
    """

    labels: np.ndarray
    items: Callable[[np.ndarray], Iterable]
    decode: Callable | None = None

    def images(self, chosen=None) -> Iterator[np.ndarray]:
        """Yields images in the order of the labels, holding only a few at a time.

        Args:
            chosen: mask, (n,) bool; `None`: all.
        """
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
        train, test: what to learn from and what to evaluate on.
        class_names: name of each label.
        skipped: path, class and reason of each image that was left out because it can't be used.
    """

    train: Split
    test: Split
    class_names: tuple[str, ...]
    skipped: tuple[tuple[str, str, str], ...] = ()


def map_in_order(function, items) -> Iterator:
    """Applies a function in threads; yields the results in the order of the items.

    Unlike `Executor.map` it takes items only a few ahead of the result that is asked for.
    """
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        pending = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def of_one_shape(images, name, image_size, shape=None) -> Iterator[np.ndarray]:
    """Yields images as they are, as long as they have one shape.

    Args:
        images: iterable of (height, width, channels) arrays.
        name: of the data set.
        image_size: the setting that the message of an error is about.
        shape: the shape; `None`: that of the first image.

    Raises:
        UserError: where there is another shape.
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
