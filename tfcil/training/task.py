"""The task at hand: what a method or a correction knows, and what it makes students of."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tfcil import classifier, losses
from tfcil.errors import UserError
from tfcil.training.phase import Phase, Term


class Selected:
    """Some of an array's rows, which are read when they are indexed.

    Args:
        rows: an array, a memory map, or anything indexed by its first axis.
        indices: (n,) of the rows.
    """

    def __init__(self, rows, indices):
        self._rows, self._indices = rows, np.asarray(indices)
        self.dtype, self.shape = rows.dtype, (len(self._indices), *rows.shape[1:])

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        """Reads rows by a slice or an array of positions."""
        return self._rows[self._indices[index]]

    @property
    def aspects(self):
        """Those of encoded images, see `tfcil.data.encoded.EncodedImages`; `None` for arrays."""
        aspects = getattr(self._rows, "aspects", None)
        return None if aspects is None else aspects[self._indices]

    def cropped(self, positions, draws):
        """Decodes drawn boxes of encoded images, see `tfcil.data.encoded.EncodedImages`."""
        return self._rows.cropped(self._indices[positions], draws)


def _features_of(model, images):
    # The attribute loads Keras.
    return classifier.features_of(model, images)


@dataclass(frozen=True)
class Task:
    """One task and its images.

    Args:
        teacher: the classifier of the task before, or an untrained one.
        num_old: number of classes it knows.
        num_new: number of classes the task brings.
        earlier: number of classes of each task before.
        images: (n, height, width, channels), new images and exemplars.
        labels: (n,) their classes, ranks of arrival.
        recipe: the `Recipe` of the task.
        head: the `Head` to train.
        loss: function of a `Task` that returns the classification `Term`.
        generator: a `numpy.random.Generator`.
        finetuning: function of (task, classifier) that returns the `Phase` of the method's balanced
            fine-tuning, or `None`: the usual one.
        reserved: `Task` of the images that the correction keeps from the training, or `None`.
        original_counts: images that each old class came with; 0, or missing at the end: unknown.
        statistics: dictionary of the arrays that the method kept of the old classes.
        extract: function of a classifier and images that returns features, (n, d) float32.
    """

    teacher: Any
    num_old: int
    num_new: int
    earlier: tuple[int, ...]
    images: Any
    labels: np.ndarray
    recipe: Any
    head: Any
    loss: Callable
    generator: Any
    finetuning: Callable | None = None
    reserved: Any = None
    original_counts: tuple[int, ...] = ()
    statistics: dict = field(default_factory=dict)
    extract: Callable = _features_of

    @property
    def num_seen(self) -> int:
        """Number of classes after the task."""
        return self.num_old + self.num_new

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Images of each seen class, exemplars included."""
        return tuple(np.bincount(self.labels, minlength=self.num_seen).tolist())

    @property
    def old_counts(self) -> np.ndarray:
        """Images that each old class came with, (num_old,); where unknown, its exemplars."""
        came = np.zeros(self.num_old, "int64")
        known = self.original_counts[: self.num_old]
        came[: len(known)] = known
        return np.maximum(came, self.class_counts[: self.num_old])

    def only(self, indices):
        """Returns the task with some of its images; its counts follow.

        Args:
            indices: (k,) of the images; one may come more than once.
        """
        return replace(self, images=Selected(self.images, indices), labels=self.labels[indices])

    def classification(self):
        """Returns the term of the classification loss that `method.loss` names."""
        return self.loss(self)

    def phase(self, terms, student=None, name="main", **others):
        """Returns a phase by the task's recipe, with the task's teacher.

        A recipe with `norm_alignment` adds its term.

        Args:
            terms: the addends of the loss.
            student: the model to train; by default the teacher with a larger head.
            name: of the phase.
            others: fields of `Phase`.
        """
        student = student or self.grown()
        others = {"recipe": self.recipe, "teacher": self.teacher} | others
        if "trainable" not in others:
            part = others["recipe"].trainable
            others["trainable"] = classifier.trainable_layers(student, part)
        return Phase(name, student, terms + self._regularisers(others), **others)

    def _regularisers(self, others):
        weight = others["recipe"].norm_alignment
        return [norm_alignment_term(weight, self.num_old)] if weight and self.num_old else []

    def grown(self, columns=None):
        """Makes a student: the teacher with a larger head; see `tfcil.classifier.grown`."""
        return classifier.grown(self.teacher, self.num_new, self.generator, self.head, columns)

    def expanded(self, auxiliary):
        """Makes a student with one more backbone; see `tfcil.classifier.expanded`."""
        if self.recipe.trainable != "all":
            raise UserError(
                "trainable: expected all with a method that adds a network. "
                f"Received: trainable={self.recipe.trainable}"
            )
        return classifier.expanded(self.teacher, self.num_new, self.generator, auxiliary)

    def features(self, model):
        """Computes a classifier's features of the task's images, (n, d) float32."""
        return self.extract(model, self.images)

    def new(self):
        """Returns the task with the images of its new classes alone."""
        return self.only(np.flatnonzero(self.labels >= self.num_old))


def norm_alignment_term(weight, num_old) -> Term:
    """Returns the regulariser of the norms of a linear head; see `losses.norm_alignment`."""

    def values(batch):
        return losses.norm_alignment(batch.student["norms"], num_old)

    return Term("norm_alignment", weight, values, reads=("norms",))


def check_labels(labels, num_old, earlier) -> tuple[int, tuple[int, ...]]:
    """Checks that labels go on where the model ends.

    Args:
        labels: (n,) of the new images and the exemplars.
        num_old: number of classes that the model knows.
        earlier: number of classes of each task before, or `None`: they were one task.

    Returns:
        The number of new classes, and `earlier`.

    Raises:
        UserError: where they don't, or a new class has no image.
    """
    counts = np.bincount(labels)
    if len(counts) <= num_old:
        raise UserError(
            f"Expected labels from {num_old} on, the first that the model does not know. "
            f"Received: largest label={len(counts) - 1}"
        )
    empty = np.flatnonzero(counts[num_old:] == 0) + num_old
    if len(empty):
        raise UserError(f"Expected images of every new class. Received: none of class {empty[0]}")
    earlier = tuple(earlier or ((num_old,) if num_old else ()))
    if sum(earlier) != num_old:
        raise UserError(
            f"Expected the sizes of the tasks before to add up to the {num_old} classes that the "
            f"model knows. Received: earlier={earlier}"
        )
    return len(counts) - num_old, earlier
