"""Cross-entropies: of a softmax, of one sigmoid per class (iCaRL), of DER's auxiliary head."""

from keras import ops

from tfcil.errors import UserError
from tfcil.losses.numerics import (
    at_least_float32,
    check_temperature,
    integer_labels,
    label_mask,
)


def softmax_crossentropy(y_true, y_pred, temperature=1.0, label_smoothing=0.0):
    """Computes the softmax cross-entropy of logits / temperature.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes), any floating type.
        temperature: positive; above 1 it flattens the predicted distribution.
        label_smoothing: part of the target, 0 to 1, that goes to all classes alike.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Raises:
        UserError: the temperature is not positive.

    Example:
        >>> softmax_crossentropy([0, 1], [[2.0, 1.0], [0.5, 1.5]])
        [0.313, 0.313]
    """
    check_temperature(temperature)
    log_probabilities = ops.log_softmax(at_least_float32(y_pred) / temperature)
    labels = integer_labels(y_true)
    losses = -ops.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0]
    if not label_smoothing:
        return losses
    even = -ops.mean(log_probabilities, axis=-1)
    return (1 - label_smoothing) * losses + label_smoothing * even


def sigmoid_crossentropy(y_true, y_pred, teacher_logits=None):
    """Computes the binary cross-entropy of each class's sigmoid, averaged over the classes.

    The targets are one-hot. A teacher's sigmoids replace the targets of all old classes, for every
    sample, including the 1 of a sample of an old class: the loss then classifies and distils at
    once. On the old classes it is smallest where student and teacher agree, but not 0: the entropy
    of the teacher's sigmoids remains.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes), old classes first.
        teacher_logits: raw logits of the teacher, (batch, old classes), or None; they get no
            gradient.

    Returns:
        The loss of each sample, (batch,), float32 or wider.

    Raises:
        UserError: the teacher has more classes than there are logits.

    Example:
        >>> sigmoid_crossentropy([1], [[0.0, 0.0]])
        [0.693]

    Reference:
        Rebuffi et al., "iCaRL: Incremental Classifier and Representation Learning"
        (arXiv 1611.07725), algorithm 3; averaged over the classes, as in released code.
    """
    logits = at_least_float32(y_pred)
    num_classes = logits.shape[-1]
    targets = ops.cast(label_mask(integer_labels(y_true), num_classes), logits.dtype)
    if teacher_logits is not None:
        kept = ops.sigmoid(ops.cast(teacher_logits, logits.dtype))
        num_old = kept.shape[-1]
        if num_old > num_classes:
            raise UserError(
                f"y_pred needs at least the teacher's {num_old} classes. "
                f"Received: y_pred.shape={tuple(logits.shape)}"
            )
        targets = ops.concatenate([ops.stop_gradient(kept), targets[:, num_old:]], axis=-1)
    # `ops.binary_crossentropy` would clip the sigmoids on some backends.
    return ops.sum(ops.softplus(logits) - targets * logits, axis=-1) / num_classes


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
