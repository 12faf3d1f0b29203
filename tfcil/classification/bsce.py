"""bsce: balanced softmax cross-entropy, the softmax of z + tau log(images of the class).

The counts are those of the images that are trained on; prediction and distillation see z.

References: Ren et al. (arXiv 2007.10740); in class-incremental learning Jodelet et al.
(arXiv 2103.12532).
"""

from typing import Literal

import numpy as np
from pydantic import Field

from tfcil import losses
from tfcil.classification import ce
from tfcil.classification.shared.prior import BalancedOptions
from tfcil.components import facts
from tfcil.errors import UserError
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = facts.LossFacts(removes_prior=True, smooths=True)


class Options(BalancedOptions):
    """Options of bsce."""

    zero_count: Literal["error", "mask"] = Field(
        "mask",
        description="a seen class without images: refuse it, or leave it out of the softmax unless "
        "tau is 0",
    )
    first_task: bool = Field(
        False, description="also train the first task with it, for classes of unequal size"
    )


def check(task, options) -> None:
    """Refuses a class without images where `zero_count` says so."""
    if options.zero_count == "error" and not all(task.class_counts):
        raise UserError(
            "Expected an image of each seen class, or options.bsce.zero_count=mask. "
            f"Received: none of class {task.class_counts.index(0)}"
        )


def term(task, options):
    """Returns the balanced softmax cross-entropy; with `tau` 0 that of `ce`, over all classes."""
    if options.tau == 0:
        return ce.term(task)
    return counts_term(task, np.array(task.class_counts, "float64"), options.tau)


def counts_term(task, counts, tau):
    """Returns the balanced softmax cross-entropy for given counts, (classes,)."""
    smoothing = task.recipe.label_smoothing

    def values(batch):
        logits = batch.student["logits"]
        return losses.balanced_softmax_crossentropy(batch.labels, logits, counts, tau, smoothing)

    return Term(CLASSIFICATION, 1.0, values)
