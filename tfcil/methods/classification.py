"""The classification term and the prior correction that the methods share."""

import numpy as np
from keras import ops

from tfcil.classifier import LOGITS
from tfcil.losses import BalancedSoftmaxCrossentropy
from tfcil.methods.base import Term


def cross_entropy_term():
    """Returns plain cross-entropy over the seen classes."""
    return Term("classification", 1.0, _cross_entropy)


def _cross_entropy(labels, student, teacher):
    logits = ops.cast(student["logits"], "float32")
    return -ops.take_along_axis(ops.log_softmax(logits), labels[:, None], axis=1)[:, 0]


def classification_term(options, increment):
    """Returns plain or balanced softmax cross-entropy, as `method.loss` says.

    The counts are those of the current training set; prediction and distillation see the raw
    logits. Reference: Ren et al. 2020 (arXiv 2007.10740), Jodelet et al. 2021 (arXiv 2103.12532).
    """
    if options.loss == "ce":
        return cross_entropy_term()
    loss = BalancedSoftmaxCrossentropy(
        increment.class_counts, tau=options.tau, zero_count=options.zero_count, reduction=None
    )
    return Term(
        "classification", 1.0, lambda labels, student, teacher: loss(labels, student["logits"])
    )


def fold_logit_adjustment(student, options, increment):
    """Subtracts `logit_adjust` times the log prior from the head's bias.

    The saved model then predicts the adjusted logits by itself. A class without images keeps its
    logit: its prior says nothing.

    Reference: Menon et al. 2020 (arXiv 2007.07314), post-hoc correction.
    """
    if not options.logit_adjust:
        return
    counts = np.asarray(increment.class_counts, "float64")
    log_prior = np.log(np.where(counts > 0, counts, 1)) - np.log(counts.sum())
    head = student.get_layer(LOGITS)
    kernel, bias = head.get_weights()
    shift = np.where(counts > 0, options.logit_adjust * log_prior, 0)
    head.set_weights([kernel, bias - shift.astype(bias.dtype)])
