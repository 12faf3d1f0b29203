"""SS-IL's losses: the softmax is computed within old and new classes, or within each old task."""

import itertools

from keras import ops

from tfcil.errors import UserError
from tfcil.losses.distillation import logit_distillation
from tfcil.losses.numerics import MASKED, at_least_float32, integer_labels


def separated_softmax_crossentropy(y_true, y_pred, num_old):
    """Computes cross-entropy over the old classes for old samples, over the new for new ones.

    The many new images then never push down the logits of the old classes.

    Args:
        y_true: integer labels, (batch,) or (batch, 1); labels below `num_old` are old.
        y_pred: raw logits, (batch, classes), old classes first.
        num_old: number of old classes; 0, or all classes, gives the plain cross-entropy.

    Returns:
        The loss of each sample, (batch,), float32 or wider. The logits of new classes get a
        gradient of exactly 0 from old samples, those of old classes from new samples.

    Raises:
        UserError: `num_old` is negative or exceeds the number of classes.

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
    """Computes `logit_distillation` within each old task and sums it over the old tasks.

    Args:
        teacher_logits: raw logits, (batch, old classes).
        student_logits: raw logits, (batch, classes); the first columns are the teacher's classes.
        task_sizes: number of classes of each old task, in order of arrival.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,), float32 or wider. Loss and gradient are exactly 0 at
        equal logits.

    Raises:
        UserError: a size is not positive, the sizes do not add up to the teacher's classes, the
            student has fewer classes than the teacher, or T is not positive.

    Reference:
        Ahn et al., "SS-IL: Separated Softmax for Incremental Learning" (arXiv 2003.13947).
    """
    teacher, student = ops.convert_to_tensor(teacher_logits), at_least_float32(student_logits)
    if min(task_sizes, default=0) < 1 or sum(task_sizes) != teacher.shape[-1]:
        raise UserError(
            f"task_sizes must be positive and add up to the teacher's {teacher.shape[-1]} classes. "
            f"Received: task_sizes={list(task_sizes)}"
        )
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
