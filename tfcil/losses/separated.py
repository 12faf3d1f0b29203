"""SS-IL's losses: no softmax ever spans old and new classes, or two old tasks."""

import itertools

import keras
from keras import ops

from tfcil.errors import UserError
from tfcil.losses.balanced import MASKED
from tfcil.losses.base import Loss
from tfcil.losses.distillation import check_temperature, logit_distillation
from tfcil.losses.numerics import at_least_float32, integer_labels


def separated_softmax_crossentropy(y_true, y_pred, num_old):
    """Computes the cross-entropy of old samples over the old classes, of new ones over the new.

    The many new images then never push the logits of the old classes down.

    Args:
        y_true: integer labels, (batch,) or (batch, 1); labels below `num_old` are old.
        y_pred: raw logits, (batch, classes), old classes first.
        num_old: number of old classes; with none or nothing else it is plain cross-entropy.

    Returns:
        The loss of each sample, (batch,), float32 or wider; a logit on the other side of the
        separation gets a gradient of exactly 0.

    Raises:
        UserError: there are fewer logits than old classes, or `num_old` is negative.

    Reference:
        Ahn et al., "SS-IL: Separated Softmax for Incremental Learning" (arXiv 2003.13947).
    """
    logits = at_least_float32(y_pred)
    num_classes = logits.shape[-1]
    if not 0 <= num_old <= num_classes:
        raise UserError(
            f"num_old must be from 0 to the {num_classes} columns of y_pred. "
            f"Received: num_old={num_old!r}"
        )
    labels = integer_labels(y_true)
    side = ops.equal(labels[:, None] < num_old, ops.arange(num_classes) < num_old)
    logits = ops.where(side, logits, MASKED)
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)


def taskwise_distillation(teacher_logits, student_logits, task_sizes, temperature=2.0):
    """Computes `logit_distillation` within each old task, summed over the old tasks.

    Args:
        teacher_logits: raw logits, (batch, old classes).
        student_logits: raw logits, (batch, classes); the first columns are the teacher's classes.
        task_sizes: number of classes of each old task, in order of arrival.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,); loss and gradient are exactly 0 at equal logits.

    Raises:
        UserError: the sizes are not positive or do not add up to the teacher's classes, the
            student has fewer classes than the teacher, or T is not positive.

    Reference:
        Ahn et al., "SS-IL: Separated Softmax for Incremental Learning" (arXiv 2003.13947).
    """
    teacher, student = ops.convert_to_tensor(teacher_logits), at_least_float32(student_logits)
    _check_task_sizes(task_sizes, teacher)
    ends = list(itertools.accumulate(task_sizes))
    if student.shape[-1] < ends[-1]:
        raise UserError(
            f"the student needs at least the teacher's {ends[-1]} classes. "
            f"Received: student_logits.shape={tuple(student.shape)}"
        )
    return sum(
        logit_distillation(teacher[:, start:end], student[:, start:end], temperature)
        for start, end in itertools.pairwise([0, *ends])
    )


@keras.saving.register_keras_serializable(package="tfcil")
class SeparatedSoftmaxCrossentropy(Loss):
    """Computes `separated_softmax_crossentropy` of raw logits, for `compile()`.

    Args:
        num_old: number of old classes.
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(
        self,
        num_old,
        reduction="sum_over_batch_size",
        name="separated_softmax_crossentropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.num_old = int(num_old)

    def call(self, y_true, y_pred):
        return separated_softmax_crossentropy(y_true, y_pred, self.num_old)

    def get_config(self):
        return {**super().get_config(), "num_old": self.num_old}


@keras.saving.register_keras_serializable(package="tfcil")
class TaskwiseDistillation(Loss):
    """Computes `taskwise_distillation` with the teacher's logits as `y_true`.

    Args:
        task_sizes: number of classes of each old task, in order of arrival.
        temperature: T, positive.
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.

    Raises:
        UserError: T is not positive.
    """

    def __init__(
        self,
        task_sizes,
        temperature=2.0,
        reduction="sum_over_batch_size",
        name="taskwise_distillation",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        check_temperature(temperature)
        self.task_sizes = tuple(int(size) for size in task_sizes)
        self.temperature = float(temperature)

    def call(self, y_true, y_pred):
        return taskwise_distillation(y_true, y_pred, self.task_sizes, self.temperature)

    def get_config(self):
        return {
            **super().get_config(),
            "task_sizes": list(self.task_sizes),
            "temperature": self.temperature,
        }


def _check_task_sizes(task_sizes, teacher):
    if min(task_sizes, default=0) < 1 or sum(task_sizes) != teacher.shape[-1]:
        raise UserError(
            f"task_sizes must be positive and add up to the teacher's {teacher.shape[-1]} classes. "
            f"Received: task_sizes={list(task_sizes)}"
        )
