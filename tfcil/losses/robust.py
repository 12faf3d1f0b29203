"""Bounded losses, which a wrong label moves less: generalised cross-entropy, Jeffries-Matusita."""

from keras import ops

from tfcil.losses.balanced import balanced_softmax_crossentropy
from tfcil.losses.crossentropy import softmax_crossentropy
from tfcil.losses.numerics import check_q


def generalized_crossentropy(y_true, y_pred, q=0.7, class_counts=None):
    """Computes (1 - p_y^q) / q, where p_y is the predicted probability of the true class.

    Near q = 0 it is the cross-entropy; at q = 1 it is 1 - p_y. Its gradient is that of the
    cross-entropy times p_y^q: it fades for a sample that the model holds to be wrong, and for every
    sample of a model that knows nothing yet.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        y_pred: raw logits, (batch, classes), any floating type.
        q: above 0, at most 1.
        class_counts: images per class in the training set, (classes,): p_y is then that of the
            balanced softmax, see `balanced_softmax_crossentropy`; None: of the plain one.

    Returns:
        The loss of each sample, (batch,), float32 or wider, from 0 to 1 / q.

    Raises:
        UserError: q is out of range, or the counts are not as described.

    Example:
        >>> generalized_crossentropy([0, 1], [[2.0, 1.0], [0.5, 1.5]])
        [0.281, 0.281]

    Reference:
        Zhang & Sabuncu, "Generalized Cross Entropy Loss for Training Deep Neural Networks with
        Noisy Labels" (arXiv 1805.07836).
    """
    check_q(q)
    if class_counts is None:
        crossentropy = softmax_crossentropy(y_true, y_pred)
    else:
        crossentropy = balanced_softmax_crossentropy(y_true, y_pred, class_counts)
    # A power of the probability would have the gradient inf * 0 where the probability is 0.
    return -ops.expm1(-q * crossentropy) / q


def reduced_jeffries_matusita(y_true, y_pred, class_counts=None):
    """Computes 1 - sqrt(p_y), half of `generalized_crossentropy` at q = 0.5.

    It is the squared Hellinger distance of the prediction to the one-hot label.

    Args:
        y_true, y_pred, class_counts: as of `generalized_crossentropy`.

    Returns:
        The loss of each sample, (batch,), float32 or wider, from 0 to 1.

    Raises:
        UserError: the counts are not as described.

    Reference:
        Lashkari & Gheibi (arXiv 2403.08408).
    """
    return generalized_crossentropy(y_true, y_pred, 0.5, class_counts) / 2
