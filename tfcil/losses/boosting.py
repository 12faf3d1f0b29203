"""FOSTER's class weights, and its losses for boosting and for compression."""

import reprlib

import numpy as np
from keras import ops

from tfcil.errors import UserError
from tfcil.losses.distillation import logit_distillation
from tfcil.losses.numerics import at_least_float32, check_temperature, integer_labels


def effective_number_weights(class_counts, beta):
    """Computes class weights proportional to (1 - beta) / (1 - beta^n), with mean 1.

    A class without images gets the weight of a class with one image: the formula would give
    infinity.

    Args:
        class_counts: images per class in the current training set, (classes,).
        beta: 0 gives equal weights; near 1 they are inversely proportional to the counts.

    Returns:
        The weights, a float64 array, (classes,).

    Raises:
        UserError: a count is negative or not finite, or beta is not in [0, 1).

    Reference:
        Cui et al., "Class-Balanced Loss Based on Effective Number of Samples" (arXiv 1901.05555).
    """
    counts = np.asarray(class_counts, "float64")
    if counts.ndim != 1 or not counts.size or not (np.isfinite(counts) & (counts >= 0)).all():
        raise UserError(
            "class_counts must be one finite count per class, none negative. "
            f"Received: class_counts={reprlib.repr(counts.tolist())}"
        )
    if not 0 <= beta < 1:
        raise UserError(f"beta must be at least 0 and below 1. Received: beta={beta!r}")
    weights = 1 / (1 - beta ** np.maximum(counts, 1))
    return weights / weights.mean()


def rescaled_crossentropy(y_true, y_pred, class_weights):
    """Computes the softmax cross-entropy of logits divided by their class's weight.

    Rare classes have a large weight and so need higher logits for the same loss. If all weights
    are T, it is the cross-entropy at temperature T.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes); predict with these, undivided.
        class_weights: positive weights, (classes,), for example of `effective_number_weights`.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Raises:
        UserError: there is not one weight per logit, or a weight is not positive and finite.

    Reference:
        Wang et al., "FOSTER: Feature Boosting and Compression for Class-Incremental Learning"
        (arXiv 2204.04662), logits alignment.
    """
    logits = at_least_float32(y_pred)
    weights = ops.cast(_checked_weights(class_weights, logits), logits.dtype)
    labels = integer_labels(y_true)
    return ops.sparse_categorical_crossentropy(labels, logits / weights, from_logits=True)


def weighted_distillation(teacher_logits, student_logits, class_weights, temperature=2.0):
    """Computes KL(p || softmax(student / T)), where p is the class-weighted teacher.

    p is softmax(teacher / T) times the weights, normalised to sum to 1. Unlike
    `logit_distillation` there is no factor T^2, as published.

    Args:
        teacher_logits: raw logits, (batch, classes).
        student_logits: raw logits, (batch, classes).
        class_weights: positive weights, (classes,), for example of `effective_number_weights`.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,), float32 or wider. At equal logits, loss and gradient
        are exactly 0 if the weights are equal; if not, the gradient raises the student's logits of
        the heavier classes.

    Raises:
        UserError: there is not one weight per logit, a weight is not positive and finite, the
            student has fewer classes than the teacher, or T is not positive.

    Reference:
        Wang et al., "FOSTER: Feature Boosting and Compression for Class-Incremental Learning"
        (arXiv 2204.04662), balanced distillation. The authors' code computes the cross-entropy:
        it differs by the entropy of p, which does not depend on the student.
    """
    student = at_least_float32(student_logits)
    teacher = ops.cast(teacher_logits, student.dtype)
    check_temperature(temperature)
    # A weight outside the softmax is its logarithm added inside. Only the ratios count, so subtract
    # the maximum: equal weights then shift by exactly 0.
    shift = np.log(_checked_weights(class_weights, teacher))
    shift = ops.cast(temperature * (shift - shift.max()), student.dtype)
    return logit_distillation(teacher + shift, student, temperature) / temperature**2


def _checked_weights(class_weights, logits):
    weights = np.asarray(class_weights, "float64")
    usable = np.isfinite(weights).all() and (weights > 0).all()
    if not usable or weights.shape != (logits.shape[-1],):
        raise UserError(
            f"class_weights must be one positive, finite weight for each of the {logits.shape[-1]} "
            f"classes. Received: class_weights={reprlib.repr(weights.tolist())}"
        )
    return weights
