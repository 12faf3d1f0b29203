"""bias_layer: alpha z + beta for the logits z of new classes, fitted on images held out.

Reference: Wu et al., "Large Scale Incremental Learning" (BiC, arXiv 1905.13260).
"""

import numpy as np
from pydantic import Field

from tfcil import classifier
from tfcil.components import facts
from tfcil.components.sections import Fraction
from tfcil.corrections.shared.draws import drawn_of_each
from tfcil.errors import UserError

FACTS = facts.CorrectionFacts(heads=("linear",), needs_memory=True, expects_prior=True)
BOUNDS = ((0.01, 100.0), (-100.0, 100.0))  # of alpha and beta: enough for any head that learned


class Options(facts.Options):
    """Options of bias_layer."""

    held_out: Fraction = Field(
        0.1, description="part of the exemplars, and as many images of each new class"
    )


def reserve(task, options):
    """Draws a part of the exemplars of each old class, and as many images of each new one."""
    counts = np.array(task.class_counts)
    is_old = np.arange(len(counts)) < task.num_old
    sizes = np.maximum(np.round(options.held_out * counts).astype(int), 1)
    sizes = np.where(counts > 1, sizes, 0)  # the only image of a class is learned from
    if not sizes[is_old].any():
        raise UserError(
            "bias_layer holds some exemplars out: expected a memory of at least 2 per class. "
            f"Received: {counts[is_old].max(initial=0)} per class"
        )
    sizes = np.where(is_old, sizes, np.minimum(sizes[is_old].max(), counts - 1))
    return drawn_of_each(task, sizes)


def correct(task, train, trained, options):
    """Fits alpha and beta on the reserved images and folds them into the head."""
    held = task.reserved
    model = classifier.expose(trained, "logits")
    logits = classifier.forward(model, held.images)["logits"]
    head = trained.get_layer(classifier.LOGITS)
    alpha, beta = fit_bias(logits, held.labels, task.num_old)
    head.set_weights(
        folded_bias_correction(*head.get_weights(), task.num_old, alpha=alpha, beta=beta)
    )
    return trained


def corrected_logits(logits, num_old, alpha, beta):
    """Computes the logits with alpha * z + beta in the columns of the new classes.

    Args:
        logits: raw logits, (batch, classes), old classes first.
        num_old: number of old classes.
        alpha: factor.
        beta: shift.

    Returns:
        The corrected logits, (batch, classes).
    """
    logits = np.asarray(logits)
    return np.concatenate([logits[:, :num_old], alpha * logits[:, num_old:] + beta], axis=1)


def bias_loss(logits, labels, num_old, alpha, beta):
    """Computes the mean cross-entropy of the corrected logits, which `fit_bias` minimises.

    Args:
        logits: raw logits of held-out images, as many of each class, (images, classes).
        labels: integer labels, (images,).
        num_old, alpha, beta: as of `corrected_logits`.

    Returns:
        The loss, and its derivatives by alpha and beta as an array (2,).
    """
    logits = np.asarray(logits, "float64")
    corrected = corrected_logits(logits, num_old, alpha, beta)
    corrected -= corrected.max(axis=1, keepdims=True)
    log_probabilities = corrected - np.log(np.exp(corrected).sum(axis=1, keepdims=True))
    own = np.arange(len(labels)), np.asarray(labels)
    by_logit = np.exp(log_probabilities)
    by_logit[own] -= 1
    by_new = by_logit[:, num_old:] / len(labels)
    slopes = np.array([np.sum(by_new * logits[:, num_old:]), by_new.sum()])
    return -log_probabilities[own].mean(), slopes


def fit_bias(logits, labels, num_old):
    """Computes the alpha and beta that minimise `bias_loss`, a convex problem.

    They stay within 0.01 to 100 and -100 to 100, where labels of one side alone would drive them
    to infinity. Found by descent from 1 and 0, they are never worse than these.

    Args:
        logits, labels, num_old: as of `bias_loss`.

    Returns:
        alpha and beta, floats; 1 and 0 without images.
    """
    from scipy.optimize import minimize  # here: most methods, and every prediction, do without

    if not len(labels):
        return 1.0, 0.0
    found = minimize(
        lambda parameters: bias_loss(logits, labels, num_old, *parameters),
        (1.0, 0.0),
        method="L-BFGS-B",
        jac=True,
        bounds=BOUNDS,
        options={"ftol": 1e-14, "gtol": 1e-9},  # scipy's own stop early on large logits
    )
    return tuple(found.x.tolist())


def folded_bias_correction(kernel, bias, num_old, alpha, beta):
    """Computes the linear head whose logits are the corrected ones.

    Args:
        kernel: weights of a linear head, (d, classes), old classes first.
        bias: its bias, (classes,).
        num_old, alpha, beta: as of `corrected_logits`.

    Returns:
        The kernel and the bias, in their types: alpha * w and alpha * b + beta for new classes.
    """
    new = np.arange(len(bias)) >= num_old
    scale, shift = np.where(new, alpha, 1.0), np.where(new, beta, 0.0)
    return (kernel * scale).astype(kernel.dtype), (bias * scale + shift).astype(bias.dtype)
