"""recall@K: whether one of the K images with the most similar features is of the same class."""

import numpy as np

from tfcil.errors import UserError, brief
from tfcil.evaluation.registry import Measure
from tfcil.exemplars.selection import normalize_rows

BLOCK = 256  # images at a time: a part of all similarities, never n x n of them
# Entries of unit vectors become multiples of 1 / SCALE. The products of such integers, and all
# sums of them, stay below 2^53: float64 holds them exactly, in whatever order they are added.
SCALE = 2.0**26


def check(asked):
    """Refuses another value of `measures.recall` than a list of numbers K."""
    numbers = isinstance(asked, list) and all(type(k) is int and k >= 1 for k in asked)
    if not numbers or not asked or len(set(asked)) < len(asked):
        raise UserError(
            "recall: expected a list of distinct integers of 1 or more. "
            f"Received: measures.recall={brief(asked)}"
        )


def compute(evidence, asked):
    """Computes the part of the test images that have one of their own class among the K nearest.

    Nearest is the highest cosine of the features; of equal ones the image that comes first. The
    figures `K` are of all images, `K_new` of the images of the last task's classes and `K_old` of
    the others; each searches its own images alone, without the image itself. An image that is the
    only one of its class is a miss.

    Args:
        evidence: the `Evidence`.
        asked: the numbers K.

    Returns:
        Dictionary of floats in 0..1 by figure; no `K_old` for the first task.

    Raises:
        UserError: a group has no more than K images, or a feature is not finite.
    """
    new = evidence.labels >= evidence.num_old
    groups = {"": np.ones_like(new), "_old": ~new, "_new": new}
    figures = {}
    for group, chosen in groups.items():
        if chosen.any():
            _check_size(chosen.sum(), asked, group)
            ranks = ranks_of_nearest(evidence.features[chosen], evidence.labels[chosen])
            figures |= {f"{k}{group}": float((ranks < k).mean()) for k in asked}
    return figures


def _check_size(images, asked, group):
    if max(asked) >= images:
        kind = group.replace("_", " ")
        raise UserError(
            f"measures.recall: expected K below {images}, the number of{kind} test images. "
            f"Received: measures.recall={brief(asked)}"
        )


def ranks_of_nearest(features, labels, block=BLOCK):
    """Computes how many other images are nearer to each image than the nearest of its class.

    Args:
        features: float array `(n, d)`. Zeros have cosine 0 to every image.
        labels: int array `(n,)`.
        block: number of images whose similarities are in memory at a time; it changes no rank.

    Returns:
        int array `(n,)`; `n` where no other image has the class.
    """
    units = np.rint(normalize_rows(features) * SCALE)
    positions = np.arange(len(labels))
    ranks = np.empty_like(positions)
    for start in range(0, len(labels), block):
        rows = positions[start : start + block, None]
        similarities = units[start : start + block] @ units.T
        others = (labels[rows] == labels) & (rows != positions)
        of_class = np.where(others, similarities, -np.inf)
        nearest = of_class.argmax(axis=1, keepdims=True)
        best = np.take_along_axis(of_class, nearest, axis=1)
        before = (similarities > best) | ((similarities == best) & (positions < nearest))
        counts = (before & (rows != positions)).sum(axis=1)
        ranks[start : start + block] = np.where(others.any(axis=1), counts, len(labels))
    return ranks


MEASURE = Measure("recall", compute, check=check)
