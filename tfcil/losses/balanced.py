"""Balanced softmax cross-entropy, and logit adjustment for models trained without it."""

import math
import reprlib

import keras
import numpy as np
from keras import ops

from tfcil.errors import UserError
from tfcil.losses.numerics import MASKED, at_least_float32, integer_labels, is_number, label_mask
from tfcil.losses.wrapper import Loss


def balanced_softmax_crossentropy(y_true, y_pred, class_counts, tau=1.0, label_smoothing=0.0):
    """Computes the softmax cross-entropy of logits + tau * log(class counts).

    The shift by the log counts is for training only: predict with the raw logits. Only the ratios
    of the counts matter; equal counts, or `tau=0`, give the plain cross-entropy of the classes that
    have images.

    A class of count 0 is excluded from the softmax, also with `tau=0`: its logit gets a gradient of
    exactly 0. A sample of such a class, which the counts rule out, gets a loss and a gradient of
    exactly 0; -log(0) would make the mean of the batch infinite.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes), any floating type.
        class_counts: images per class in the current training set, exemplars included, (classes,);
            integers or floats, in a list, an array or a tensor. A tensor gets a gradient too, and
            its values are not checked.
        tau: strength of the shift; at 1 the raw logits are those for balanced classes.
        label_smoothing: part of the target, 0 to 1, that goes to all classes in proportion to
            class_counts ** tau: only then it draws the raw logits towards equal ones.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Raises:
        UserError: there is not one count per logit, or a count is negative or not finite, or all
            are zero.

    Example:
        >>> balanced_softmax_crossentropy([0, 1], [[2.0, 1.0], [0.5, 1.5]], class_counts=[20, 500])
        [2.322, 0.015]

    Reference:
        Ren et al., "Balanced Meta-Softmax for Long-Tailed Visual Recognition" (arXiv 2007.10740);
        for class-incremental learning, Jodelet et al. (arXiv 2103.12532); `tau` is that of the
        logit-adjusted loss of Menon et al. (arXiv 2007.07314).
    """
    logits = at_least_float32(y_pred)
    labels = integer_labels(y_true)
    if not ops.is_tensor(class_counts):
        class_counts = _checked_counts(class_counts)
        class_counts /= class_counts.max()  # float32 can't hold counts such as 1e60
    counts = ops.cast(class_counts, logits.dtype)
    _check_one_count_per_logit(logits, counts)

    present = counts > 0
    log_counts = ops.log(ops.where(present, counts, 1.0))
    shift = tau * (log_counts - ops.max(ops.where(present, log_counts, MASKED)))
    logits = ops.where(present, logits, MASKED)
    # Subtract the maximum before adding the shift: next to a logit of 1e4, float32 would round the
    # shift to 3 digits.
    logits = logits - ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))
    losses = ops.sparse_categorical_crossentropy(labels, logits + shift, from_logits=True)
    if label_smoothing:
        shares = ops.where(present, ops.exp(shift), 0.0)
        smooth = -ops.sum(ops.log_softmax(logits + shift) * shares, axis=-1) / ops.sum(shares)
        losses = (1 - label_smoothing) * losses + label_smoothing * smooth
    own = label_mask(labels, counts.shape[0])
    impossible = ops.any(ops.logical_and(own, ops.logical_not(present)), axis=-1)
    return ops.where(impossible, 0.0, losses)


def adjust_logits(logits, class_counts, tau=1.0):
    """Computes logits - tau * log(prior), for a model trained with plain cross-entropy.

    Never apply it to a model trained with the balanced softmax: that would correct twice.

    Args:
        logits: raw logits, (batch, classes), an array or a tensor of any floating type.
        class_counts: images per class in the training set, (classes,), all positive.
        tau: strength of the correction.

    Returns:
        The adjusted logits, (batch, classes), a tensor of float32 or wider.

    Raises:
        UserError: there is not one count per logit, or a count is not positive and finite.

    Reference:
        Menon et al., "Long-tail learning via logit adjustment" (arXiv 2007.07314), post-hoc form.
    """
    logits = at_least_float32(logits)
    counts = _checked_counts(class_counts)
    _check_one_count_per_logit(logits, counts)
    if not counts.all():
        raise UserError(
            "adjust_logits needs a positive count for every class. "
            f"Received: class_counts={_shown(class_counts)}"
        )
    return logits - ops.cast(tau * np.log(counts / counts.sum()), logits.dtype)


@keras.saving.register_keras_serializable(package="tfcil")
class BalancedSoftmaxCrossentropy(Loss):
    """Computes the balanced softmax cross-entropy of raw logits, for `compile()`.

    The counts are those of one training set: create a new loss and compile again for each task.
    See `balanced_softmax_crossentropy` for the equation.

    Args:
        class_counts: images per class in the current training set, exemplars included, (classes,).
        tau: strength of the shift by the log counts, finite and not negative.
        zero_count: how to treat a class without images. "error" raises a `UserError`; "mask"
            excludes it from the softmax, and its samples get a loss of 0; a positive number
            replaces its count.
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.

    Raises:
        UserError: an argument is not as described.

    Example:
        >>> model.compile("sgd", loss=BalancedSoftmaxCrossentropy([20] * 50 + [500] * 10))

    Reference:
        Jodelet et al., "Balanced Softmax Cross-Entropy for Incremental Learning"
        (arXiv 2103.12532).
    """

    def __init__(
        self,
        class_counts,
        tau=1.0,
        zero_count="error",
        reduction="sum_over_batch_size",
        name="balanced_softmax_crossentropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        counts = _checked_counts(class_counts)
        named = zero_count in ("error", "mask")
        if not named and not (is_number(zero_count) and 0 < zero_count < math.inf):
            raise UserError(
                'zero_count must be "error", "mask" or a positive count. '
                f"Received: zero_count={zero_count!r}"
            )
        if not (is_number(tau) and 0 <= tau < math.inf):
            raise UserError(f"tau must be a finite number, 0 or above. Received: tau={tau!r}")
        if zero_count == "error" and not counts.all():
            raise UserError(
                f"class {int(counts.argmin())} has no images: leave it out, or pass "
                f'zero_count="mask" or a positive count. Received: class_counts='
                f"{_shown(class_counts)}"
            )
        self._class_counts = tuple(np.asarray(class_counts).tolist())
        self.tau = float(tau)
        self.zero_count = zero_count if named else float(zero_count)
        self._used_counts = counts if named else np.where(counts == 0, zero_count, counts)

    @property
    def class_counts(self):
        """The counts; read-only, as a compiled model would keep using the old ones."""
        return self._class_counts

    def call(self, y_true, y_pred):
        return balanced_softmax_crossentropy(y_true, y_pred, self._used_counts, self.tau)

    def get_config(self):
        own = {"class_counts": list(self.class_counts), "tau": self.tau}
        return {**super().get_config(), **own, "zero_count": self.zero_count}


def _checked_counts(class_counts):
    """Returns the counts as a new float64 array; raises a `UserError` if they are unusable."""
    try:
        counts = np.array(class_counts, dtype="float64")
    except (TypeError, ValueError):
        counts = np.empty(0)
    usable = counts.ndim == 1 and np.isfinite(counts).all() and (counts >= 0).all()
    if not (usable and counts.any()):
        raise UserError(
            "class_counts must be one-dimensional, with a finite count per class, none negative "
            f"and not all zero. Received: class_counts={_shown(class_counts)}"
        )
    return counts


def _check_one_count_per_logit(logits, counts):
    if logits.shape[-1] not in (None, counts.shape[0]):
        raise UserError(
            f"the logits must have one column for each of the {counts.shape[0]} class counts. "
            f"Received: logits.shape={tuple(logits.shape)}"
        )


def _shown(class_counts):
    """Returns the counts abbreviated: a thousand of them would bury the message."""
    listed = class_counts.tolist() if hasattr(class_counts, "tolist") else class_counts
    return reprlib.repr(listed)
