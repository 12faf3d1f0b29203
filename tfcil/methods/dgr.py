"""dgr: reweighted gradients of the head, and distillation by the images that were lost.

It is made for data that are imbalanced inside the tasks and between them, with a balanced softmax
(`loss: bsce`).

Reference: He, "Gradient Reweighting: Towards Imbalanced Class-Incremental Learning" (CVPR 2024,
arXiv 2402.18528), and the author's code.
"""

from typing import Literal

from pydantic import Field

from tfcil import losses
from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative
from tfcil.errors import UserError
from tfcil.methods.shared import terms
from tfcil.methods.shared.reweighted import OUTPUT, reweighted_phase
from tfcil.training.phase import DISTILLATION, Term

FACTS = MethodFacts()


class Options(terms.Options):
    """Options of dgr."""

    distillation_weight: NonNegative = Field(
        0.7, description="factor of the distillation, before sqrt(old images / new images)"
    )
    task_ratio: Literal["official", "symmetric"] = Field(
        "official", description="factor of the new classes: as in the author's code, or inverted"
    )
    damping: NonNegative = Field(1.0, description="gamma_r: how much new classes are held back")


def check(task, options) -> None:
    """Refuses a task of which it is unknown how many images the old classes had."""
    if not task.old_counts.sum():
        raise UserError(
            "method.name=dgr needs to know how many images the old classes came with: expected the "
            "memory of the task before. Received: none"
        )


def learn(task, train, options):
    """Trains the grown network on both terms."""
    phase_terms = [task.classification(), distillation(task, options)]
    return train(task, reweighted_phase(task, phase_terms, options.task_ratio, options.damping))


def distillation(task, options):
    """Returns the distribution-aware distillation; old images count as they came, not as kept."""
    kept, new = task.class_counts[: task.num_old], task.class_counts[task.num_old :]
    lost = task.old_counts - kept

    def values(batch):
        taught, logits = batch.teacher["logits"], batch.student[OUTPUT]
        return losses.distribution_aware_distillation(taught, logits, lost, options.temperature)

    weight = options.distillation_weight * float(task.old_counts.sum() / sum(new)) ** 0.5
    return Term(DISTILLATION, weight, values, reads=(OUTPUT,), teacher_reads=("logits",))
