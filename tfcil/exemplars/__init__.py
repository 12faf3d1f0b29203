"""The exemplar memory: how many old images to keep, which, and what they can classify."""

from tfcil.exemplars.means import class_means, nearest_mean
from tfcil.exemplars.memory import ExemplarMemory, quota, ranks_of_sorted
from tfcil.exemplars.selection import SELECTIONS, herding, random_selection

__all__ = [
    "SELECTIONS",
    "ExemplarMemory",
    "class_means",
    "herding",
    "nearest_mean",
    "quota",
    "random_selection",
    "ranks_of_sorted",
]
