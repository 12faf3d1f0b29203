"""gce: generalised cross-entropy, (1 - p_y^q) / q, after a part of the training by cross-entropy.

Reference: Zhang & Sabuncu (arXiv 1805.07836).
"""

from typing import Annotated

from pydantic import Field

from tfcil import losses
from tfcil.classification.shared import bounded
from tfcil.components import facts
from tfcil.components.sections import Positive

FACTS = facts.LossFacts(first_task=True)


class Options(bounded.BoundedOptions):
    """Options of gce."""

    q: Annotated[float, Field(gt=0, le=1)] = Field(
        0.7, description="near 0: cross-entropy; 1: 1 - p_y, on which wrong labels weigh least"
    )
    scale: Positive = Field(1.0, description="factor of the loss after the warm-up")


def warning(options):
    """Returns a line of warning where there is no warm-up."""
    return bounded.warning("gce", options)


def term(task, options):
    """Returns cross-entropy, then generalised cross-entropy."""

    def loss(labels, logits, counts):
        return losses.generalized_crossentropy(labels, logits, options.q, counts)

    return bounded.bounded_term(task, loss, options)
