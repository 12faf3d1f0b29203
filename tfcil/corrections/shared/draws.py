"""Draws images of each class."""

import numpy as np


def drawn_of_each(task, sizes):
    """Draws images of each class, without repetition.

    Args:
        task: the `Task`, whose generator draws.
        sizes: number of images of each class.

    Returns:
        Indices of the images, class after class.
    """
    return np.concatenate(
        [
            task.generator.permutation(np.flatnonzero(task.labels == label))[:size]
            for label, size in enumerate(sizes)
        ]
    )
