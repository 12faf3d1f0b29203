"""A long-tailed version of a data set: each class keeps fewer training images than the one before.

Which images of a class are kept depends on its name, the seed and the number of its images alone.
"""

import zlib

import numpy as np


def long_tailed_counts(largest, ratio, num_classes) -> np.ndarray:
    """Computes `floor(largest / ratio^(i / (num_classes - 1)))` for each class i, 1 at least.

    Args:
        largest: int, images of class 0.
        ratio: float, at least 1: how many times more images class 0 has than the last.
        num_classes: int.

    Returns:
        int64 array `(num_classes,)`, from the head to the tail.

    Example:
        >>> long_tailed_counts(500, ratio=100, num_classes=3).tolist()
        [500, 50, 5]

    Reference:
        Cui et al., Class-Balanced Loss (arXiv 1901.05555); as a stream of tasks: Liu et al.,
        Long-Tailed Class Incremental Learning (arXiv 2210.00266).
    """
    exponents = np.arange(num_classes) / max(num_classes - 1, 1)
    # Without the small addition, rounding takes an image where the quotient is whole.
    counts = np.floor(largest / float(ratio) ** exponents + 1e-9)
    return np.maximum(counts, 1).astype(np.int64)


def long_tailed(labels, arrival, class_names, ratio, order, seed) -> np.ndarray:
    """Computes which training images a long-tailed version of a data set keeps.

    The largest class decides the first count, and all classes of the data set take part, also those
    of no task: one more task changes no image of another. A class never gets more images than it
    has. Of one class, a smaller count keeps some of the images of a larger one.

    Args:
        labels: int array (n,), the label of each image.
        arrival: int array (classes,), all labels in the order of arrival.
        class_names: the name of each label.
        ratio: of the largest to the smallest count.
        order: `"ordered"`: the counts fall from class to class in the order of arrival;
            `"shuffled"`: the seed draws which class has which count.
        seed: int in 0..2**32-1.

    Returns:
        (n,) bool.
    """
    sizes = np.bincount(labels, minlength=len(class_names))
    counts = long_tailed_counts(sizes.max(), ratio, len(class_names))
    if order == "shuffled":
        # The legacy stream, because it is frozen.
        counts = np.random.RandomState(seed).permutation(counts)
    kept = np.zeros(len(labels), bool)
    for label, count in zip(arrival, counts, strict=True):
        random = np.random.RandomState([seed, zlib.crc32(class_names[label].encode())])
        kept[random.permutation(np.flatnonzero(labels == label))[:count]] = True
    return kept
