"""What one training consists of: a student, the terms of its loss, and how gradients change.

Nothing here needs Keras, so that the files of methods can be read without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

CLASSIFICATION, DISTILLATION = "classification", "distillation"  # names of terms


def head_only(layer) -> bool:
    """Tells whether a layer is the classifier's head, for `Phase.trainable`."""
    return layer.name == "logits"


class Batch(NamedTuple):
    """What a term of the loss sees: a batch, or one device's share of it.

    Args:
        labels: (batch,) int32 ranks of the classes.
        student: the student's outputs by their names.
        teacher: the teacher's, or `None`.
        progress: scalar from 0 to 1, the part of the phase's steps already taken.
        told: dictionary of what the terms' `BeforeStep`s tell.
    """

    labels: Any
    student: dict
    teacher: dict | None = None
    progress: Any = 0.0
    told: dict | None = None


@dataclass(frozen=True)
class Term:
    """One addend of the loss.

    Args:
        name: its name in the training curve.
        weight: its factor.
        values: function of a `Batch` that returns one value per sample.
        size: function of the labels of the whole batch, a NumPy array, that returns the number the
            sum of the values is divided by; by default the images of the batch.
        reads: outputs of the student that `values` needs: of "logits", "features", "maps",
            "scores", "scale", "norms", and those that a student names itself.
        teacher_reads: outputs of the teacher that `values` needs.
        before_step: function of a `Preparation` that returns a `BeforeStep`, for a term that
            learns something of its own between the steps.
        whole_batch: whether the value of a sample depends on the others of its batch. Devices that
            share a batch see a part of it each, so several of them refuse such a term.
    """

    name: str
    weight: float
    values: Callable
    size: Callable = len
    reads: tuple[str, ...] = ("logits",)
    teacher_reads: tuple[str, ...] = ()
    before_step: Callable | None = None
    whole_batch: bool = False


class Preparation(NamedTuple):
    """What a term's `before_step` is given when a phase begins.

    Args:
        classifier: the model that is trained.
        task: the `Task`.
        seed: integers that everything drawn depends on.
        augmentation: the `Augmentation` of the phase.
    """

    classifier: Any
    task: Any
    seed: tuple[int, ...]
    augmentation: Any


class BeforeStep:
    """Runs before each step of a phase.

    Attributes:
        variables: Keras variables that it changes; they are part of the checkpoint.
    """

    variables = ()

    def epoch_begins(self) -> None:
        """Runs before the first step of each epoch."""

    def told(self) -> dict:
        """Returns what terms see as `batch.told`: arrays, and numbers that the curve shows."""
        return {}

    def update(self, step, images, labels, draws, learning_rate) -> None:
        """Changes its variables for the coming step.

        Args:
            step: number of the step in the phase.
            images: (batch, height, width, channels) uint8, of all devices.
            labels: (batch,) int32.
            draws: (batch, k) how the images are augmented.
            learning_rate: of the step.
        """


class Transform:
    """Changes gradients between the loss and the update, as in optax: its state is data.

    Transforms run one after the other on the gradient of the whole batch, over all devices. The
    state is part of the compiled step and of the checkpoint. This base class changes nothing.

    Attributes:
        before_decay: whether it sees gradients without coupled weight decay.
    """

    before_decay = False

    def init(self, variables) -> list:
        """Returns the state before the first step, a list of NumPy arrays.

        Args:
            variables: the trainable Keras variables, in the order of the gradients.
        """
        return []

    def update(self, gradients, state, variables, step):
        """Returns the new gradients and the new state.

        Args:
            gradients: list of tensors.
            state: list of tensors, of the shapes and types that `init` gave.
            variables: list of tensors, the values of the variables.
            step: int32 scalar, number of the step in the phase.
        """
        return gradients, state


@dataclass(frozen=True)
class Phase:
    """One training of a task.

    Args:
        name: in the training curve; unique within the task.
        student: the classifier to train in place, or a model with a dictionary of outputs, one of
            them `logits`.
        terms: the addends of the loss.
        recipe: how long and how fast.
        teacher: a classifier that stays as it is, for terms that read it.
        sampler: which images a step sees; by default every image of the task once per epoch.
        trainable: function of a layer that tells whether this phase trains it; `None`: all layers
            that are not frozen. Batch normalisation that is not trained keeps its statistics.
        transforms: `Transform`s of the gradients, after coupled weight decay unless they say
            `before_decay`.
    """

    name: str
    student: Any
    terms: list[Term]
    recipe: Any
    teacher: Any = None
    sampler: Any = None
    trainable: Callable | None = None
    transforms: tuple[Transform, ...] = ()


class Learned(NamedTuple):
    """What a method that keeps statistics returns.

    Args:
        classifier: the model of all classes.
        statistics: dictionary of the arrays that the next task needs.
    """

    classifier: Any
    statistics: dict
