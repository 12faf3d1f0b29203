"""ssil: softmaxes apart for old and new classes, distillation task by task, a fixed replay ratio.

Reference: Ahn et al., "SS-IL: Separated Softmax for Incremental Learning" (arXiv 2003.13947).
"""

import numpy as np
from pydantic import Field

from tfcil import losses
from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative, PositiveInt
from tfcil.methods.shared import terms
from tfcil.training import samplers
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = MethodFacts(
    any_loss=False, own_losses=("ce",), removes_prior="its separated softmax", smooths=False
)


class Options(terms.Options):
    """Options of ssil."""

    distillation_weight: NonNegative = Field(1.0, description="factor of the distillation")
    replay_batch_size: PositiveInt = Field(
        32, description="exemplars that join the batch_size new images of a step"
    )


def learn(task, train, options):
    """Trains the grown network on both terms, with exemplars in every batch."""

    def separated(batch):
        logits = batch.student["logits"]
        return losses.separated_softmax_crossentropy(batch.labels, logits, task.num_old)

    distillation = terms.taskwise_distillation_term(
        options.temperature, options.distillation_weight, task.earlier
    )
    phase_terms = [Term(CLASSIFICATION, 1.0, separated), distillation]
    sampler = _replaying(task, options.replay_batch_size)
    return train(task, task.phase(phase_terms, sampler=sampler))


def _replaying(task, replay_batch_size):
    """Returns the sampler of new images and exemplars; `None` without exemplars."""
    is_old = task.labels < task.num_old
    if not is_old.any():
        return None
    new = samplers.Shuffled(np.flatnonzero(~is_old), task.recipe.batch_size)
    return samplers.Joined(
        (new, samplers.Shuffled(np.flatnonzero(is_old), replay_batch_size, number=1))
    )
