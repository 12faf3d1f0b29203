"""Losses on similarities: LUCIR's margin ranking and PODNet's NCA."""

import keras
from keras import ops

from tfcil.errors import UserError
from tfcil.losses.base import Loss
from tfcil.losses.numerics import at_least_float32, integer_labels, label_mask

VARIANTS = ("released", "paper")


def margin_ranking(y_true, scores, num_old, k=2, margin=0.5):
    """Computes LUCIR's margin ranking: old samples against the new classes nearest to them.

    For each sample of an old class and each of its k highest new-class scores s:
    max(0, margin - s_own + s). The mean over those samples times k; 0 without any.

    Args:
        y_true: integer labels, (batch,) or (batch, 1); labels below `num_old` are old.
        scores: cosines before the learned scale, (batch, classes), old classes first.
        num_old: number of old classes.
        k: new classes compared with; all of them where there are fewer.
        margin: wanted distance of the cosines.

    Returns:
        The loss of the batch, a scalar.

    Raises:
        UserError: there is no new class, or k is below 1.

    Reference:
        Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
    """
    violations = margin_violations(y_true, scores, num_old, k, margin)
    return ops.sum(violations) / _number_of_old(y_true, num_old, violations.dtype)


def margin_violations(y_true, scores, num_old, k=2, margin=0.5):
    """Computes the summands of `margin_ranking`, whose sum over the number of old samples it is.

    Returns:
        The mean over the k comparisons of each sample, (batch,); 0 for samples of new classes.
    """
    scores = at_least_float32(scores)
    num_classes = scores.shape[-1]
    if not 0 <= num_old < num_classes:
        raise UserError(
            f"num_old must leave at least one new class among the {num_classes} columns of scores. "
            f"Received: num_old={num_old!r}"
        )
    if k < 1:
        raise UserError(f"k must be at least 1. Received: k={k!r}")
    labels = integer_labels(y_true)
    own = ops.sum(ops.where(label_mask(labels, num_classes), scores, 0.0), axis=-1, keepdims=True)
    rivals, _ = ops.top_k(scores[:, num_old:], min(k, num_classes - num_old))
    hinges = ops.sum(ops.relu(margin - own + rivals), axis=-1) / rivals.shape[-1]
    return ops.where(labels < num_old, hinges, 0.0)


def nca(y_true, similarities, margin=0.6, variant="released", scale=1.0):
    """Computes PODNet's NCA loss, as its code was released or as the paper has it.

    "paper": max(0, log sum_{j != y} exp(z_j) - (z_y - scale * margin)).

    "released": the code behind the published numbers subtracts the margin from every class, so
    that it cancels, and its target still adds exp(max_j z_j) to the sum that it should have left:
    log(sum_{j != y} exp(z_j) + exp(max_j z_j)) - z_y. This is plain cross-entropy wherever the
    target has the highest similarity, and never negative.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        similarities: z, already multiplied by the learned scale, (batch, classes).
        margin: margin before the scale; of no effect in "released".
        variant: "released" or "paper".
        scale: the learned scale that `similarities` were multiplied by, a number or a tensor;
            of no effect in "released".

    Returns:
        The loss of each sample, (batch,).

    Raises:
        UserError: the variant is unknown.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), and the authors' code.
    """
    _check_variant(variant)
    similarities = at_least_float32(similarities)
    own = label_mask(integer_labels(y_true), similarities.shape[-1])
    positive = ops.sum(ops.where(own, similarities, 0.0), axis=-1)
    if variant == "released":
        highest = ops.max(similarities, axis=-1, keepdims=True)
        return ops.logsumexp(ops.where(own, highest, similarities), axis=-1) - positive
    negatives = ops.logsumexp(ops.where(own, -1e30, similarities), axis=-1)
    return ops.relu(negatives - (positive - scale * margin))


@keras.saving.register_keras_serializable(package="tfcil")
class MarginRanking(Loss):
    """Computes `margin_ranking` of cosines, for `compile()`.

    Args:
        num_old: number of old classes.
        k: new classes compared with.
        margin: wanted distance of the cosines.
        reduction: how Keras reduces the batch; the default gives the function's mean.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(
        self,
        num_old,
        k=2,
        margin=0.5,
        reduction="sum_over_batch_size",
        name="margin_ranking",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.num_old = int(num_old)
        self.k = int(k)
        self.margin = float(margin)

    def call(self, y_true, y_pred):
        violations = margin_violations(y_true, y_pred, self.num_old, self.k, self.margin)
        # Keras will divide by the batch size, but the mean is one over the old samples.
        size = ops.cast(ops.shape(violations)[0], violations.dtype)
        return violations * size / _number_of_old(y_true, self.num_old, violations.dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_old": self.num_old,
            "k": self.k,
            "margin": self.margin,
        }


@keras.saving.register_keras_serializable(package="tfcil")
class NCA(Loss):
    """Computes `nca` of scaled similarities, for `compile()`.

    Args:
        margin: margin before the scale; of no effect in "released".
        variant: "released" or "paper".
        scale: the scale of the similarities, where it is a constant; use the function for a
            learned one. Of no effect in "released".
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.

    Raises:
        UserError: the variant is unknown.
    """

    def __init__(
        self,
        margin=0.6,
        variant="released",
        scale=1.0,
        reduction="sum_over_batch_size",
        name="nca",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        _check_variant(variant)
        self.margin = float(margin)
        self.variant = variant
        self.scale = float(scale)

    def call(self, y_true, y_pred):
        return nca(y_true, y_pred, self.margin, self.variant, self.scale)

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "variant": self.variant,
            "scale": self.scale,
        }


def _number_of_old(y_true, num_old, dtype):
    """Counts the samples of old classes, at least 1."""
    return ops.maximum(ops.sum(ops.cast(integer_labels(y_true) < num_old, dtype)), 1.0)


def _check_variant(variant):
    if variant not in VARIANTS:
        raise UserError(f"variant must be one of {VARIANTS}. Received: variant={variant!r}")
