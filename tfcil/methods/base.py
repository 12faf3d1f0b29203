"""What an incremental learning method is made of."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Increment:
    """What a method may know of the task at hand.

    Args:
        num_old: number of classes the teacher knows.
        num_new: number of classes the task brings.
        class_counts: images of each seen class in the current training set, exemplars included.
    """

    num_old: int
    num_new: int
    class_counts: tuple[int, ...]


@dataclass(frozen=True)
class Term:
    """One addend of the loss.

    Args:
        name: its name in the training curve.
        weight: its factor.
        values: function of (labels, student outputs, teacher outputs) to one value per sample; the
            outputs are dictionaries with the method's `outputs` as keys.
    """

    name: str
    weight: float
    values: Callable


@dataclass(frozen=True)
class Method:
    """One published method.

    Args:
        terms: function of (options, increment) to the list of terms; `options` is the section
            `method` of params.yaml.
        outputs: what the terms read of student and teacher: of "logits", "features", "maps".
        after_training: function of (student, options, increment) that corrects the fitted student
            in place.
    """

    terms: Callable
    outputs: tuple[str, ...] = ("logits",)
    after_training: Callable = lambda student, options, increment: None
