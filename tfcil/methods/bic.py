"""bic: mixed classification and distillation; then a bias layer is fitted on images held out.

The bias layer, alpha * z + beta for the new classes, is folded into the head: the teacher of the
next task has it, and the student goes on from it.

Reference: Wu et al., "Large Scale Incremental Learning" (arXiv 1905.13260).
"""

import numpy as np

from tfcil.classifier import expose
from tfcil.classifier.inference import forward
from tfcil.errors import UserError
from tfcil.methods.base import Method
from tfcil.methods.corrections import correct_bias
from tfcil.methods.distillation import mixed_terms
from tfcil.methods.head_weights import fit_bias

ABOUT = {"losses": ["ce", "bsce", "meta-bsce"], "second_stage": "correction"}


def _held_out(task):
    """A part of the exemplars of each old class, and as many images of each new one."""
    if not task.options.has_second_stage:
        return np.empty(0, int)
    counts = np.array(task.increment.class_counts)
    is_old = np.arange(len(counts)) < task.increment.num_old
    sizes = np.maximum(np.round(task.options.held_out * counts).astype(int), 1)
    sizes = np.where(counts > 1, sizes, 0)  # the only image of a class is learned from
    if not sizes[is_old].any():
        raise UserError(
            "bic holds some exemplars out to fit its bias: expected a memory of at least 2 per "
            f"class. Received: {counts[is_old].max()} per class"
        )
    sizes = np.where(is_old, sizes, np.minimum(sizes[is_old].max(), counts - 1))
    return np.concatenate(
        [
            task.generator.permutation(np.flatnonzero(task.labels == label))[:size]
            for label, size in enumerate(sizes)
        ]
    )


def _fit_bias(classifier, task, held_out):
    if task.options.has_second_stage:
        logits = forward(expose(classifier, "logits"), task.images[held_out])["logits"]
        num_old = task.increment.num_old
        correct_bias(classifier, task, *fit_bias(logits, task.labels[held_out], num_old))


METHOD = Method(mixed_terms, held_out=_held_out, after_training=_fit_bias)
