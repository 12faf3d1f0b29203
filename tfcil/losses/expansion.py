"""DER's auxiliary loss: it teaches a new branch features that tell new classes from old ones."""

from keras import ops

from tfcil.losses.numerics import at_least_float32, integer_labels


def auxiliary_crossentropy(y_true, auxiliary_logits, num_old):
    """Computes the cross-entropy over the new classes and one class for all old ones.

    Args:
        y_true: integer labels among all seen classes, (batch,) or (batch, 1); labels below
            `num_old` are old.
        auxiliary_logits: raw logits of the auxiliary head, (batch, 1 + new classes): column 0 is
            "any old class", the new classes follow in order.
        num_old: number of old classes.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Example:
        >>> auxiliary_crossentropy([0, 9, 11], np.zeros((3, 3)), num_old=10)
        [1.099, 1.099, 1.099]

    Reference:
        Yan et al., "DER: Dynamically Expandable Representation for Class Incremental Learning"
        (arXiv 2103.16788).
    """
    labels = ops.maximum(integer_labels(y_true) - num_old + 1, 0)
    logits = at_least_float32(auxiliary_logits)
    return ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
