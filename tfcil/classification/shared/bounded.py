"""Bounded losses, gce and rjm: their options, and the cross-entropy that a training begins with.

The gradient of a bounded loss is that of the cross-entropy times a power of the probability of the
true class. Where that is small, as in the beginning, or for the few exemplars of an old class, a
model hardly learns: so the first part of each training is by cross-entropy.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from tfcil import losses
from tfcil.components import facts
from tfcil.components.recipe import Fraction
from tfcil.training.phase import CLASSIFICATION, Term


class BoundedOptions(facts.Options):
    """Options of a bounded loss."""

    prior: Literal["none", "counts"] = Field(
        "none", description="counts: probabilities of the balanced softmax, as of bsce"
    )
    warmup: Fraction = Field(
        0.5, description="part of each training that is by cross-entropy; 0 mostly collapses"
    )

    @property
    def removes_prior(self) -> bool:
        """Whether the probabilities are those of a balanced softmax."""
        return self.prior == "counts"


def warning(name, options) -> str | None:
    """Returns a line of warning where the training does not begin with cross-entropy."""
    if options.warmup:
        return None
    return (
        f"options.{name}.warmup=0: without cross-entropy in the beginning, {name} hardly learns "
        "classes with few images; expected about 0.5"
    )


def bounded_term(task, loss, options):
    """Returns the classification term: cross-entropy until `warmup`, then `scale` times a loss.

    Args:
        task: the `Task`.
        loss: function of labels, logits and class counts or `None`; one value per sample.
        options: `BoundedOptions` with a `scale`.
    """
    counts = np.array(task.class_counts, "float64") if options.prior == "counts" else None

    def values(batch):
        from keras import ops

        labels, logits = batch.labels, batch.student["logits"]
        bounded = options.scale * loss(labels, logits, counts)
        if counts is None:
            first = losses.softmax_crossentropy(labels, logits)
        else:
            first = losses.balanced_softmax_crossentropy(labels, logits, counts)
        return ops.where(batch.progress < options.warmup, first, bounded)

    return Term(CLASSIFICATION, 1.0, values)
