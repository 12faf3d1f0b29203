"""Corrections of a trained linear head, in place."""

from tfcil.classifier import LOGITS
from tfcil.methods.head_weights import aligned_kernel, folded_bias_correction


def align(classifier, task) -> None:
    """Gives the new classes' weight vectors the mean norm of the old ones."""
    head = classifier.get_layer(LOGITS)
    kernel, bias = head.get_weights()
    head.set_weights([aligned_kernel(kernel, task.increment.num_old)[0], bias])


def correct_bias(classifier, task, alpha, beta) -> None:
    """Makes alpha * z + beta of the new classes' logits z."""
    head = classifier.get_layer(LOGITS)
    num_old = task.increment.num_old
    head.set_weights(folded_bias_correction(*head.get_weights(), num_old, alpha, beta))
