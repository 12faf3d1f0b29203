"""Losses on similarities: LUCIR's margin ranking and PODNet's NCA."""

import numbers

from keras import ops

from tfcil.errors import UserError
from tfcil.losses.numerics import MASKED, at_least_float32, integer_labels, label_mask

VARIANTS = ("released", "paper")


def margin_ranking(y_true, scores, num_old, k=2, margin=0.5):
    """Computes LUCIR's margin ranking: an old sample's own class against its nearest new classes.

    The violation of an old sample is the mean of max(0, margin - s_own + s) over its k highest
    new-class scores s. LUCIR's loss is the mean violation of the batch's old samples; the values
    here have that mean over the whole batch.

    Args:
        y_true: integer labels, (batch,) or (batch, 1); labels below `num_old` are old.
        scores: cosines before the learned scale, (batch, classes), old classes first.
        num_old: number of old classes.
        k: number of new classes to compare with; all of them if there are fewer.
        margin: wanted difference of the cosines.

    Returns:
        The loss of each sample, (batch,), float32 or wider: its violation times the batch size
        divided by the number of old samples. Samples of new classes get 0.

    Raises:
        UserError: there is no new class, or k is not a positive integer.

    Reference:
        Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
    """
    violations = margin_violations(y_true, scores, num_old, k, margin)
    old = ops.cast(integer_labels(y_true) < num_old, violations.dtype)
    batch_size = ops.cast(ops.shape(old)[0], old.dtype)
    return violations * batch_size / ops.maximum(ops.sum(old), 1.0)


def margin_violations(y_true, scores, num_old, k=2, margin=0.5):
    """Computes the violation of each sample, to be averaged over the old samples.

    Takes the arguments of `margin_ranking` and raises the same errors.

    Returns:
        The mean of max(0, margin - s_own + s) over the k comparisons of each sample, (batch,),
        float32 or wider; 0 for samples of new classes.
    """
    scores = at_least_float32(scores)
    num_classes = scores.shape[-1]
    if not 0 <= num_old < num_classes:
        raise UserError(
            f"num_old must leave at least one new class among the {num_classes} columns of scores. "
            f"Received: num_old={num_old!r}"
        )
    if not (isinstance(k, numbers.Integral) and k >= 1):
        raise UserError(f"k must be a positive integer. Received: k={k!r}")
    labels = integer_labels(y_true)
    own = ops.sum(ops.where(label_mask(labels, num_classes), scores, 0.0), axis=-1, keepdims=True)
    rivals, _ = ops.top_k(scores[:, num_old:], min(k, num_classes - num_old))
    hinges = ops.sum(ops.relu(margin - own + rivals), axis=-1) / rivals.shape[-1]
    return ops.where(labels < num_old, hinges, 0.0)


def nca(y_true, similarities, margin=0.6, variant="released", scale=1.0):
    """Computes PODNet's NCA loss, of the released code or of the paper.

    "paper": max(0, log sum_{j != y} exp(z_j) - (z_y - scale * margin)).

    "released": log(sum_{j != y} exp(z_j) + exp(max_j z_j)) - z_y, what the code behind the
    published numbers computes. It subtracts the margin from every class, so that the margin
    cancels, and it replaces the target's exp(z_y) in the sum by exp(max_j z_j) instead of leaving
    it out. If the target has the highest similarity, this is the plain cross-entropy.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        similarities: z, already multiplied by the learned scale, (batch, classes).
        margin: margin before the scale; without effect in "released".
        variant: "released" or "paper".
        scale: the learned scale that `similarities` were multiplied by, a number or a tensor;
            without effect in "released".

    Returns:
        The loss of each sample, (batch,), float32 or wider; never negative.

    Raises:
        UserError: the variant is unknown.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), and the authors' code.
    """
    check_variant(variant)
    similarities = at_least_float32(similarities)
    own = label_mask(integer_labels(y_true), similarities.shape[-1])
    positive = ops.sum(ops.where(own, similarities, 0.0), axis=-1)
    if variant == "released":
        highest = ops.max(similarities, axis=-1, keepdims=True)
        return ops.logsumexp(ops.where(own, highest, similarities), axis=-1) - positive
    negatives = ops.logsumexp(ops.where(own, MASKED, similarities), axis=-1)
    return ops.relu(negatives - (positive - scale * margin))


def check_variant(variant):
    """Raises a `UserError` unless `nca` knows the variant."""
    if variant not in VARIANTS:
        raise UserError(f"variant must be one of {VARIANTS}. Received: variant={variant!r}")
