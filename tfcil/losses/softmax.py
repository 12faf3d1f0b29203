"""Plain softmax cross-entropy of raw logits."""

from keras import ops

from tfcil.losses.numerics import at_least_float32, check_temperature, integer_labels


def softmax_crossentropy(y_true, y_pred, temperature=1.0):
    """Computes the softmax cross-entropy of logits / temperature.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes), any floating type.
        temperature: positive; above 1 it flattens the predicted distribution.

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
    return -ops.take_along_axis(log_probabilities, labels[:, None], axis=1)[:, 0]
