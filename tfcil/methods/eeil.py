"""eeil: distillation task by task, and balanced fine-tuning of the whole network.

The fine-tuning also distils the new classes, from the network as it was before.

Reference: Castro et al., "End-to-End Incremental Learning" (arXiv 1807.09536).
"""

from pydantic import Field

from tfcil import classifier
from tfcil.classification import ce
from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative
from tfcil.methods.shared import terms

FACTS = MethodFacts(correction="balanced_finetuning")


class Options(terms.Options):
    """Options of eeil."""

    distillation_weight: NonNegative = Field(1.0, description="factor of the distillation")


def learn(task, train, options):
    """Trains the grown network on classification and the distillation of each earlier task."""
    phase_terms = [task.classification(), _distillation(options, task.earlier)]
    return train(task, task.phase(phase_terms))


def finetuning(task, trained, options):
    """Returns the fine-tuning of the whole network; its teacher is a copy of the trained one."""
    phase_terms = [ce.term(task), _distillation(options, (*task.earlier, task.num_new))]
    teacher = classifier.copied(trained)
    return task.phase(phase_terms, trained, "balancing", teacher=teacher)


def _distillation(options, tasks):
    return terms.taskwise_distillation_term(options.temperature, options.distillation_weight, tasks)
