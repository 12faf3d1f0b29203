"""Accuracy by the number of training images of a class, where the classes are unbalanced."""

import numpy as np

MANY, FEW = 100, 20
FIGURES = {  # of metrics.json, under `shots`, with their titles
    "many": "many-shot classes",
    "medium": "medium-shot classes",
    "few": "few-shot classes",
    "worst_class": "worst class",
}


def shot_group(size) -> str:
    """Returns the group of a class of `size` training images.

    `"many"`: more than 100; `"medium"`: 20 to 100; `"few"`: fewer than 20.

    Reference:
        Liu et al., Large-Scale Long-Tailed Recognition in an Open World (arXiv 1904.05160):
        released code.
    """
    if size > MANY:
        return "many"
    return "few" if size < FEW else "medium"


def group_sizes(sizes) -> dict[str, str]:
    """Describes each group: how many of the classes of these sizes it has, and its bounds."""
    bounds = {"many": f"more than {MANY}", "medium": f"{FEW} to {MANY}", "few": f"fewer than {FEW}"}
    groups = [shot_group(size) for size in sizes]
    return {
        group: f"{groups.count(group)} of {len(groups)} classes, {bound} training images"
        for group, bound in bounds.items()
    }


def is_unbalanced(sizes) -> bool:
    """Tells whether class sizes are of several groups, or the largest is twice the smallest."""
    return len(set(map(shot_group, sizes))) > 1 or max(sizes) >= 2 * min(sizes)


def shot_accuracies(confusion, sizes) -> dict[str, float | None]:
    """Computes the mean accuracy of the classes of each group, and that of the worst class.

    Args:
        confusion: int array `(classes, classes)`, rows are true classes. A class without test
            images is left out.
        sizes: training images of each class when it arrived, `classes` integers.

    Returns:
        The keys of `FIGURES`, each with a fraction, or `None` for a group without classes.
    """
    confusion = np.asarray(confusion)
    images = confusion.sum(axis=1)
    accuracies = confusion.diagonal() / np.where(images, images, 1)
    groups = np.where(images, [shot_group(size) for size in sizes], "")
    figures = {
        group: float(accuracies[groups == group].mean()) if group in groups else None
        for group in ("many", "medium", "few")
    }
    return figures | {"worst_class": float(accuracies[images > 0].min())}
