"""The classification loss that `method.loss` names, and the prior correction after training."""

import numpy as np
from keras import ops

from tfcil.losses import (
    BalancedSoftmaxCrossentropy,
    balanced_softmax_crossentropy,
    nca,
    sigmoid_crossentropy,
)
from tfcil.methods.base import Term

CLASSIFICATION = "classification"


def first_task_term(first_task):
    """Returns the only term of the first task's loss: there is nothing to forget."""
    if first_task.loss == "bce":
        return sigmoid_term()
    if first_task.loss == "nca":
        return nca_term(first_task.nca)
    return cross_entropy_term()


def cross_entropy_term(output="logits", temperature=1.0):
    """Returns plain cross-entropy over the seen classes."""

    def cross_entropy(batch):
        logits = ops.cast(batch.student[output], "float32") / temperature
        return -ops.take_along_axis(ops.log_softmax(logits), batch.labels[:, None], axis=1)[:, 0]

    return Term(CLASSIFICATION, 1.0, cross_entropy)


def sigmoid_term():
    """Returns iCaRL's binary cross-entropies; a teacher's predictions are the old classes' targets.

    Reference: Rebuffi et al., iCaRL (arXiv 1611.07725), algorithm 3.
    """

    def sigmoids(batch):
        taught = None if batch.teacher is None else batch.teacher["logits"]
        return sigmoid_crossentropy(batch.labels, batch.student["logits"], taught)

    return Term(CLASSIFICATION, 1.0, sigmoids)


def nca_term(variant):
    """Returns PODNet's classification loss; it reads the logits and the scale of the head."""

    def loss(batch):
        scale = batch.student["scale"][:, 0]
        return nca(batch.labels, batch.student["logits"], variant=variant, scale=scale)

    return Term(CLASSIFICATION, 1.0, loss)


def classification_term(options, increment):
    """Returns cross-entropy, or balanced softmax cross-entropy in the form `method.loss` says.

    The counts are those of the current training set; prediction and distillation see the raw
    logits. References: Ren et al. 2020 (arXiv 2007.10740), Jodelet et al. 2021 (arXiv 2103.12532);
    what `meta-bsce` and `relaxed-bsce` are is our reading of it.
    """
    if options.loss == "ce":
        return cross_entropy_term()
    if options.loss == "meta-bsce":
        return Term(CLASSIFICATION, 1.0, _meta_balanced_softmax(options, increment))
    counts = np.array(increment.class_counts, "float64")
    if options.loss == "relaxed-bsce":
        counts = np.maximum(counts, options.epsilon)
    loss = BalancedSoftmaxCrossentropy(
        counts, tau=options.tau, zero_count=options.zero_count, reduction=None
    )
    return Term(CLASSIFICATION, 1.0, lambda batch: loss(batch.labels, batch.student["logits"]))


def _meta_balanced_softmax(options, increment):
    def loss(batch):
        counts = weighted_counts(increment, batch.alpha)
        return balanced_softmax_crossentropy(
            batch.labels, batch.student["logits"], counts, options.tau
        )

    return loss


def weighted_counts(increment, alpha):
    """Computes the class counts, those of old classes times `alpha`, as a tensor."""
    counts = np.array(increment.class_counts, "float32")
    is_old = np.arange(len(counts)) < increment.num_old
    # Relative to the largest: alpha may be as small as 1e-3.
    return ops.where(is_old, alpha * counts, counts) / counts.max()


def prior_shift(options, increment):
    """Computes minus `logit_adjust` times the log prior, (classes,), or `None`.

    Added to the logits of the saved model, which then predicts the adjusted ones by itself. A class
    without images keeps its logit: its prior says nothing.

    Reference: Menon et al. 2020 (arXiv 2007.07314), post-hoc correction.
    """
    if not options.logit_adjust:
        return None
    counts = np.array(increment.class_counts, "float64")
    log_prior = np.log(np.where(counts > 0, counts, 1)) - np.log(counts.sum())
    return np.where(counts > 0, -options.logit_adjust * log_prior, 0.0)
