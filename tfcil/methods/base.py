"""What an incremental learning method is made of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfcil.classifier import Head, expanded, expose, grown
from tfcil.classifier.inference import forward


@dataclass(frozen=True)
class Increment:
    """What the terms of a method may know of the task at hand.

    Args:
        num_old: number of classes the teacher knows.
        num_new: number of classes the task brings.
        class_counts: images of each seen class in the current training set, exemplars included.
        earlier: number of classes of each task before.
    """

    num_old: int
    num_new: int
    class_counts: tuple[int, ...]
    earlier: tuple[int, ...] = ()


class Batch(NamedTuple):
    """What a term of the loss sees: a batch, or one device's share of it.

    Args:
        labels: (batch,) int32 ranks of the classes.
        student: the student's outputs by their names.
        teacher: the teacher's, or `None`.
        alpha: the coefficient on the counts of old classes that meta-bsce learns; else 1.
    """

    labels: Any
    student: dict
    teacher: dict | None = None
    alpha: Any = 1.0


@dataclass(frozen=True)
class Term:
    """One addend of the loss.

    Args:
        name: its name in the training curve.
        weight: its factor.
        values: function of a `Batch` to one value per sample.
        size: function of the labels of the whole batch, a NumPy array, to the number that the sum
            of the values is divided by; by default the images of the batch.
    """

    name: str
    weight: float
    values: Callable
    size: Callable = len


@dataclass
class Task:
    """The task at hand, for what a method does before and after the training.

    Args:
        teacher: the model of the task before, or an untrained one.
        increment: its `Increment`.
        options: the section `method` of params.yaml.
        head: the `Head` to train.
        images: (n, height, width, channels) uint8, new images and exemplars.
        labels: (n,) their classes.
        generator: a `numpy.random.Generator`.
    """

    teacher: Any
    increment: Increment
    options: Any
    head: Head
    images: Any
    labels: Any
    generator: Any

    def grown(self, columns=None):
        """Makes a student that is the teacher with a larger head; see `tfcil.classifier.grown`."""
        return grown(self.teacher, self.increment.num_new, self.generator, self.head, columns)

    def expanded(self):
        """Makes a student with one more backbone; see `tfcil.classifier.expanded`."""
        return expanded(self.teacher, self.increment.num_new, self.generator)

    def new_features(self):
        """Computes the teacher's features of the new classes' images, and returns their labels."""
        new = np.flatnonzero(self.labels >= self.increment.num_old)
        features = forward(expose(self.teacher, "features"), self.images[new])["features"]
        return features, self.labels[new]


@dataclass(frozen=True)
class Stage:
    """One training of a task.

    Args:
        terms: function of (options, increment) to the list of terms; `options` is the section
            `method` of params.yaml.
        name: its name in the training curve.
        outputs: what the terms read of the student: of "logits", "features", "maps",
            "scores", "scale".
        teacher_outputs: what they read of the teacher, where that is not the same; nothing, if
            they don't need it.
        student: function of the `Task` and the classifier trained so far to the one to train: a
            classifier, or a model with a dictionary of outputs.
        teacher: function of the same to the classifier that teaches.
        balanced: whether it sees as many images of each class, or all.
        replays: whether exemplars join each batch in a number of their own.
        head_only: whether the backbone is frozen, its batch statistics included.
        freezes_old_columns: whether the old classes keep their weight vectors.
        largest_gradient: elements of the gradient are cut to this size.
    """

    terms: Callable
    name: str = "main"
    outputs: tuple[str, ...] = ("logits",)
    teacher_outputs: tuple[str, ...] | None = None
    student: Callable = lambda task, trained: trained
    teacher: Callable = lambda task, trained: task.teacher
    balanced: bool = False
    replays: bool = False
    head_only: bool = False
    freezes_old_columns: bool = False
    largest_gradient: float | None = None


@dataclass(frozen=True)
class Method(Stage):
    """One published method: its main training, and what comes before and after.

    Args:
        student: as of any `Stage`; by default the teacher with a larger head.
        held_out: function of the `Task` to the indices of images that the training does not see.
        second_stage: a `Stage` by the section `second_stage` of params.yaml, where the options say
            so.
        after_training: function of (classifier, `Task`, held-out indices) that corrects the
            classifier in place.
    """

    student: Callable = lambda task, trained: task.grown()
    held_out: Callable = lambda task: np.empty(0, int)
    second_stage: Stage | None = None
    after_training: Callable = lambda classifier, task, held_out: None
