"""tal: cross-entropy that pushes classes down less, the longer they have not been seen.

A class that was seen lately weighs more among the wrong answers: see `shared/supervision.py`.

Reference: Ma & Zhu, "Temporal Imbalance of Positive and Negative Supervision in Class-Incremental
Learning" (CVPR 2026, arXiv 2603.02280), and the authors' code.
"""

from typing import Annotated

from pydantic import Field

from tfcil import losses
from tfcil.components import facts
from tfcil.components.sections import Positive
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = facts.LossFacts(removes_prior=True)


class Options(facts.Options):
    """Options of tal."""

    memory: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.995, description="lambda: part of the supervision that is left after a step"
    )
    exponent: Positive = Field(1.0, description="r: higher ones spare unseen classes more")
    first_task: bool = Field(
        False, description="also train the first task with it, for classes of unequal size"
    )


def term(task, options):
    """Returns the temporal-adjusted cross-entropy."""
    from tfcil.classification.shared.supervision import Supervision

    def values(batch):
        logits, weights = batch.student["logits"], batch.told["weights"]
        return losses.temporal_adjusted_crossentropy(batch.labels, logits, weights)

    return Term(
        CLASSIFICATION,
        1.0,
        values,
        before_step=lambda preparation: Supervision(preparation.task.num_seen, options),
    )
