"""meta_bsce: balanced softmax whose coefficient on the counts of old classes is learned.

What it is in Jodelet et al. (arXiv 2103.12532) is our reading, after the Meta-Sampler of Ren et al.
(arXiv 2007.10740): see `shared/coefficient.py`.
"""

from pydantic import Field

from tfcil import losses
from tfcil.classification.shared.prior import BalancedOptions
from tfcil.components import facts
from tfcil.components.sections import Positive, PositiveInt
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = facts.LossFacts(removes_prior=True, memory="needs", smooths=True)


class Options(BalancedOptions):
    """Options of meta_bsce."""

    learning_rate: Positive = Field(0.01, description="of the coefficient, by Adam")
    batch_size: PositiveInt = Field(64, description="balanced images per step")


def term(task, options):
    """Returns the balanced softmax cross-entropy with `alpha` times the counts of old classes."""
    from tfcil.classification.shared.coefficient import LearnedCoefficient, weighted_counts

    tau, smoothing = options.tau, task.recipe.label_smoothing

    def values(batch):
        counts = weighted_counts(task, batch.told["alpha"])
        logits = batch.student["logits"]
        return losses.balanced_softmax_crossentropy(batch.labels, logits, counts, tau, smoothing)

    return Term(
        CLASSIFICATION,
        1.0,
        values,
        before_step=lambda preparation: LearnedCoefficient(preparation, task, options),
    )
