"""Cross-entropy that pushes classes down less, the longer they have not been seen."""

from keras import ops

from tfcil.losses.numerics import MASKED, at_least_float32, integer_labels, label_mask


def temporal_adjusted_crossentropy(y_true, y_pred, weights):
    """Computes -log(e^z_y / (e^z_y + sum over k != y of weights_k e^z_k)).

    Weights of 1 give the cross-entropy; a class of weight 0 is not pushed down by other classes.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: logits, (batch, classes), any floating type.
        weights: of the classes as wrong answers, (classes,), 0 or more; an array or a tensor.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Reference:
        Ma & Zhu, "Temporal Imbalance of Positive and Negative Supervision in Class-Incremental
        Learning" (CVPR 2026, arXiv 2603.02280).
    """
    logits = at_least_float32(y_pred)
    labels = integer_labels(y_true)
    weights = ops.cast(weights, logits.dtype)
    # As an addend, a weight changes nothing else than the logits of wrong answers. The inner
    # `where` keeps the gradient of log(0) away from weights that are tensors.
    weighted = weights > 0
    shift = ops.where(weighted, ops.log(ops.where(weighted, weights, 1.0)), MASKED)
    own = label_mask(labels, weights.shape[0])
    logits = logits - ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))
    adjusted = ops.where(own, logits, logits + shift)
    return ops.sparse_categorical_crossentropy(labels, adjusted, from_logits=True)
