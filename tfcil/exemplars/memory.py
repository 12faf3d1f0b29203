"""The exemplar memory: how many images of each class are kept, and the images themselves."""

from dataclasses import dataclass, field

import numpy as np

from tfcil.data.encoded import EncodedImages
from tfcil.errors import UserError
from tfcil.exemplars.selection import SELECTIONS
from tfcil.files import load_npz, map_npz, save_npz

_ARRAYS = {  # dtypes, number of axes
    "images": (("uint8", "float32"), 4),
    "labels": (("int32",), 1),
    "ranks": (("int32",), 1),
}


def quota(budget, num_seen, per_class=None):
    """Computes how many exemplars each seen class may keep.

    The budget is shared equally and rounded down, so that `quota * num_seen <= budget` always.

    Args:
        budget: int, exemplars over all classes.
        num_seen: int, classes seen so far.
        per_class: int or None, the most that one class may keep.

    Returns:
        int, exemplars per class.

    Raises:
        UserError: `budget` or `per_class` is negative.
        ValueError: no class has been seen.

    Example:
        >>> quota(2000, 60), quota(2000, 60, per_class=20)
        (33, 20)
    """
    if budget < 0:
        raise UserError(f"memory must not be negative. Received: memory={budget}")
    if per_class is not None and per_class < 0:
        raise UserError(f"per_class must not be negative. Received: per_class={per_class}")
    if num_seen < 1:
        raise ValueError(f"num_seen must be at least 1. Received: num_seen={num_seen}")
    share = budget // num_seen
    return share if per_class is None else min(share, per_class)


@dataclass(frozen=True, eq=False)
class ExemplarMemory:
    """Exemplars of the classes seen so far, sorted by class and then by rank.

    The budget is an argument of `update`: it may change from task to task.

    Attributes:
        images: uint8 or float32 array `(n, height, width, channels)`, as they came, or
            `EncodedImages`. A memory without exemplars goes with both.
        labels: int32 array `(n,)`, classes as ranks in the class order.
        ranks: int32 array `(n,)`, rank within the class: 0 was picked first and is dropped last.
        original_counts: int64 array `(classes,)`, images that each class came with; 0, or missing
            at the end: unknown.
    """

    images: np.ndarray
    labels: np.ndarray
    ranks: np.ndarray
    original_counts: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self):
        for name, (dtypes, ndim) in _ARRAYS.items():
            array = getattr(self, name)
            one_each = (array.ndim, array.shape[:1]) == (ndim, self.labels.shape[:1])
            if array.dtype not in dtypes or not one_each:
                raise ValueError(
                    f"{name} must be {' or '.join(dtypes)} with {ndim} axes and one entry per "
                    f"exemplar. Received: {name} of {array.dtype} and shape {array.shape}"
                )
        counts = self.original_counts
        if counts.dtype != "int64" or counts.ndim != 1 or np.any(counts < 0):
            raise ValueError(
                "original_counts must be int64 with one axis, none negative. "
                f"Received: original_counts of {counts.dtype} and shape {counts.shape}"
            )
        is_sorted = np.all(np.diff(self.labels, prepend=0) >= 0)
        if not is_sorted or not np.array_equal(self.ranks, ranks_of_sorted(self.labels)):
            raise ValueError(
                "exemplars must be sorted by label, and ranked 0, 1, 2, ... within each. "
                f"Received: {len(self.labels)} exemplars in another order"
            )

    @classmethod
    def empty(cls, image_shape, dtype="uint8"):
        """Creates a memory without exemplars, for images of shape `(height, width, channels)`."""
        none = np.zeros(0, dtype=np.int32)
        return cls(np.zeros((0, *image_shape), dtype), none, none)

    def __len__(self):
        return len(self.labels)

    @property
    def is_encoded(self) -> bool:
        """Whether the images are `EncodedImages`."""
        return isinstance(self.images, EncodedImages)

    def counts(self, num_classes):
        """Counts the exemplars of each class: int64 array `(num_classes,)`."""
        counts = np.bincount(self.labels, minlength=num_classes)
        if len(counts) > num_classes:
            raise ValueError(
                f"num_classes must cover the labels up to {self.labels.max()}. "
                f"Received: num_classes={num_classes}"
            )
        return counts

    def update(
        self,
        images,
        labels,
        features,
        num_seen,
        budget,
        per_class=None,
        selection="herding",
        generator=None,
    ):
        """Computes the memory after a task: old classes truncated, exemplars of new ones added.

        Old classes keep their best ranks and are never chosen anew, because their other images
        are gone. Of a class smaller than its quota, all images are kept.

        Args:
            images: array `(n, height, width, channels)` of the memory's type, or
                `EncodedImages`: images of the new classes.
            labels: int array `(n,)`, their classes, in `0..num_seen-1` and not in the memory yet.
            features: float array `(n, d)`, their features from the model just trained.
            num_seen: int, classes seen so far, new ones included.
            budget: int, exemplars kept over all classes.
            per_class: int or None, the most that one class may keep.
            selection: str, a key of `SELECTIONS`.
            generator: `numpy.random.Generator`, for a selection that draws.

        Returns:
            `ExemplarMemory` of at most `budget` exemplars.

        Raises:
            UserError: negative budget, unknown selection, features that are not finite.
            ValueError: arrays that do not fit together, labels out of range or already kept.
        """
        labels, features = map(np.asarray, (labels, features))
        images = images if isinstance(images, EncodedImages) else np.asarray(images)
        self._check_new(images, labels, features, num_seen)
        count = quota(budget, num_seen, per_class)
        kept = np.flatnonzero(self.ranks < count)
        picks = _select(labels, features, count, selection, generator)
        rows = np.concatenate([kept, len(self) + picks])
        all_labels = np.concatenate([self.labels[kept], labels[picks]]).astype(np.int32)
        order = np.argsort(all_labels, kind="stable")  # each class is in the order of its ranks
        chosen = _chosen(self.images, images, rows[order])
        original = np.zeros(num_seen, np.int64)
        original[: len(self.original_counts)] = self.original_counts
        came = np.bincount(labels, minlength=num_seen)
        original = np.where(came > 0, came, original)
        return ExemplarMemory(
            chosen, all_labels[order], ranks_of_sorted(all_labels[order]), original
        )

    def _check_new(self, images, labels, features, num_seen):
        if len(self) and isinstance(images, EncodedImages) != self.is_encoded:
            raise ValueError("images, old and new, must all be encoded, or none")
        if not len(images) == len(labels) == len(features):
            raise ValueError(
                "images, labels and features must have the same length. "
                f"Received: {len(images)}, {len(labels)} and {len(features)}"
            )
        if (images.dtype, images.shape[1:]) != (self.images.dtype, self.images.shape[1:]):
            expected = ("n", *self.images.shape[1:])
            raise ValueError(
                f"images must be {self.images.dtype} of shape ({', '.join(map(str, expected))}) as "
                f"in the memory. Received: {images.dtype} of shape {images.shape}"
            )
        if np.any((labels < 0) | (labels >= num_seen)) or np.any(self.labels >= num_seen):
            raise ValueError(
                f"labels, old and new, must be in 0..{num_seen - 1}. Received: num_seen={num_seen}"
            )
        known = np.intersect1d(labels, self.labels)
        if known.size:
            raise ValueError(
                "labels must be of classes without exemplars: exemplars are never chosen anew. "
                f"Received: labels={known.tolist()}"
            )

    def save(self, path):
        """Writes the memory to an .npz file, whole or not at all; equal memories, equal bytes."""
        arrays = {name: getattr(self, name) for name in (*_ARRAYS, "original_counts")}
        if self.is_encoded:
            arrays |= {"images": self.images.contents, **self.images.index()}
        save_npz(path, **arrays)

    @classmethod
    def load(cls, path):
        """Opens a memory that `save` wrote; its images are mapped, not read.

        Raises:
            UserError: there is no such file, it is damaged, or it holds something else.
        """
        labels, ranks, counts = load_npz(path, "labels", "ranks", "original_counts")
        images = map_npz(path, "images")
        index = load_npz(path, *EncodedImages.INDEX) if images.ndim == 1 else None
        try:
            return cls(EncodedImages(images, *index) if index else images, labels, ranks, counts)
        except ValueError as error:
            raise UserError(f"not an exemplar memory: {error}. Received: path={path}") from None


def _select(labels, features, count, selection, generator):
    """Chooses rows of each class: an int64 array `(m,)`, the best of a class first."""
    if selection not in SELECTIONS:
        raise UserError(
            f"selection must be one of {', '.join(SELECTIONS)}. Received: selection={selection!r}"
        )
    picks = [np.zeros(0, dtype=np.int64)]
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        picks.append(rows[SELECTIONS[selection](features[rows], count, generator)])
    return np.concatenate(picks)


def _chosen(old, new, rows):
    """Copies images by their rows, counted through old ones and new ones."""
    if isinstance(new, EncodedImages):
        images = [
            old.encoded(row) if row < len(old) else new.encoded(row - len(old)) for row in rows
        ]
        return EncodedImages.of(images, new.shape[1:], new.resize)
    # Filled one by one: of a thousand classes there are gigabytes, and no room for copies.
    chosen = np.empty((len(rows), *new.shape[1:]), new.dtype)
    for place, row in enumerate(rows):
        chosen[place] = old[row] if row < len(old) else new[row - len(old)]
    return chosen


def ranks_of_sorted(labels):
    """Numbers the entries of each class from 0; `labels` are sorted."""
    return (np.arange(len(labels)) - np.searchsorted(labels, labels)).astype(np.int32)
