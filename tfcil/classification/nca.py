"""nca: PODNet's loss, a softmax over similarities with a margin for the true class.

Reference: Douillard et al., "PODNet" (arXiv 2004.13513), and the authors' code.
"""

from typing import Literal

from pydantic import Field

from tfcil import losses
from tfcil.components import facts
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = facts.LossFacts(general=False, first_task=True)


class Options(facts.Options):
    """Options of nca."""

    variant: Literal["released", "paper"] = Field(
        "released", description="as in the authors' code or in the paper"
    )


def term(task, options):
    """Returns the loss; it reads the logits and the scale of the head."""

    def values(batch):
        scale = batch.student["scale"][:, 0]
        logits = batch.student["logits"]
        return losses.nca(batch.labels, logits, variant=options.variant, scale=scale)

    return Term(CLASSIFICATION, 1.0, values, reads=("logits", "scale"))
