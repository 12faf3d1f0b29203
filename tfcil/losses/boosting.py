"""FOSTER's losses: class weights inside the boosting and the compression of a two-branch net."""

import reprlib

import keras
import numpy as np
from keras import ops

from tfcil.errors import UserError
from tfcil.losses.base import Loss
from tfcil.losses.distillation import check_temperature, logit_distillation
from tfcil.losses.numerics import at_least_float32, integer_labels


def effective_number_weights(class_counts, beta):
    """Computes weights in proportion to (1 - beta) / (1 - beta^n), of mean 1.

    A class without images weighs as much as one with a single image: the formula would make it
    infinite.

    Args:
        class_counts: images per class in the current training set, (classes,).
        beta: 0 weighs all classes equally; towards 1, in inverse proportion to their counts.

    Returns:
        The weights, a float64 array, (classes,).

    Raises:
        UserError: a count is negative or not finite, or beta is not from 0 up to 1.

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
        raise UserError(f"beta must be from 0 up to, not including, 1. Received: beta={beta!r}")
    weights = 1 / (1 - beta ** np.maximum(counts, 1))
    return weights / weights.mean()


def rescaled_crossentropy(y_true, y_pred, class_weights):
    """Computes the cross-entropy of logits that are divided by the weight of their class.

    Rare classes, of a large weight, must reach higher logits for the same loss. One weight T for
    all is the cross-entropy at temperature T.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes); predict with these, undivided.
        class_weights: positive weights, (classes,), as `effective_number_weights` gives them.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Raises:
        UserError: the weights are not positive, finite and one per logit.

    Reference:
        Wang et al., "FOSTER: Feature Boosting and Compression for Class-Incremental Learning"
        (arXiv 2204.04662), logits alignment.
    """
    logits = at_least_float32(y_pred)
    weights = ops.cast(_checked_weights(class_weights, logits), logits.dtype)
    labels = integer_labels(y_true)
    return ops.sparse_categorical_crossentropy(labels, logits / weights, from_logits=True)


def weighted_distillation(teacher_logits, student_logits, class_weights, temperature=2.0):
    """Computes KL(p || softmax(student / T)), where p is the teacher's softmax, class-weighted.

    p is softmax(teacher / T) times the weights, divided by its sum again. There is no T^2, unlike
    in `logit_distillation`: as published, for FOSTER's learning rate.

    Args:
        teacher_logits: raw logits, (batch, classes).
        student_logits: raw logits, (batch, classes).
        class_weights: positive weights, (classes,), as `effective_number_weights` gives them.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,). At equal logits loss and gradient are exactly 0 where
        the weights are equal; where they are not, they pull the student to the heavier classes.

    Raises:
        UserError: the weights are not positive, finite and one per logit, the student has fewer
            classes than the teacher, or T is not positive.

    Reference:
        Wang et al., "FOSTER: Feature Boosting and Compression for Class-Incremental Learning"
        (arXiv 2204.04662), balanced distillation; the authors' code leaves out the entropy of p,
        which does not depend on the student.
    """
    student = at_least_float32(student_logits)
    teacher = ops.cast(teacher_logits, student.dtype)
    check_temperature(temperature)
    # Weights inside a softmax are logarithms beside its logits. Only their ratios count; those of
    # equal weights become a 0 without rounding.
    shift = np.log(_checked_weights(class_weights, teacher))
    shift = ops.cast(temperature * (shift - shift.max()), student.dtype)
    return logit_distillation(teacher + shift, student, temperature) / temperature**2


@keras.saving.register_keras_serializable(package="tfcil")
class RescaledCrossentropy(Loss):
    """Computes `rescaled_crossentropy` of raw logits, for `compile()`.

    Args:
        class_weights: positive weights, (classes,).
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(
        self,
        class_weights,
        reduction="sum_over_batch_size",
        name="rescaled_crossentropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.class_weights = tuple(np.asarray(class_weights).tolist())

    def call(self, y_true, y_pred):
        return rescaled_crossentropy(y_true, y_pred, self.class_weights)

    def get_config(self):
        return {**super().get_config(), "class_weights": list(self.class_weights)}


@keras.saving.register_keras_serializable(package="tfcil")
class WeightedDistillation(Loss):
    """Computes `weighted_distillation` with the teacher's logits as `y_true`.

    Args:
        class_weights: positive weights, (classes,).
        temperature: T, positive.
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.

    Raises:
        UserError: T is not positive.
    """

    def __init__(
        self,
        class_weights,
        temperature=2.0,
        reduction="sum_over_batch_size",
        name="weighted_distillation",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        check_temperature(temperature)
        self.class_weights = tuple(np.asarray(class_weights).tolist())
        self.temperature = float(temperature)

    def call(self, y_true, y_pred):
        return weighted_distillation(y_true, y_pred, self.class_weights, self.temperature)

    def get_config(self):
        return {
            **super().get_config(),
            "class_weights": list(self.class_weights),
            "temperature": self.temperature,
        }


def _checked_weights(class_weights, logits):
    weights = np.asarray(class_weights, "float64")
    usable = np.isfinite(weights).all() and (weights > 0).all()
    if not usable or weights.shape != (logits.shape[-1],):
        raise UserError(
            f"class_weights must be one positive, finite weight for each of the {logits.shape[-1]} "
            f"logits. Received: class_weights={reprlib.repr(weights.tolist())}"
        )
    return weights
