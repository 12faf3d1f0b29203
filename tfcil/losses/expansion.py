"""DER's auxiliary loss, which makes a new branch learn what the old ones cannot tell apart."""

import keras
from keras import ops

from tfcil.losses.base import Loss
from tfcil.losses.numerics import at_least_float32, integer_labels


def auxiliary_crossentropy(y_true, auxiliary_logits, num_old):
    """Computes the cross-entropy over the new classes and one class 0 for all old ones.

    Args:
        y_true: integer labels of the seen classes, (batch,) or (batch, 1); labels below `num_old`
            are old.
        auxiliary_logits: raw logits of the auxiliary head, (batch, 1 + new classes): any old
            class, then the new ones in order.
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


@keras.saving.register_keras_serializable(package="tfcil")
class AuxiliaryCrossentropy(Loss):
    """Computes `auxiliary_crossentropy` of an auxiliary head's raw logits, for `compile()`.

    Args:
        num_old: number of old classes.
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(
        self,
        num_old,
        reduction="sum_over_batch_size",
        name="auxiliary_crossentropy",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.num_old = int(num_old)

    def call(self, y_true, y_pred):
        return auxiliary_crossentropy(y_true, y_pred, self.num_old)

    def get_config(self):
        return {**super().get_config(), "num_old": self.num_old}
