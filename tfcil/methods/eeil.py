"""eeil: distillation task by task, and balanced fine-tuning of the whole network.

The fine-tuning also distils the new classes, from the network as it was before.

Reference: Castro et al., "End-to-End Incremental Learning" (arXiv 1807.09536).
"""

from tfcil.classifier import copied
from tfcil.methods.base import Method, Stage
from tfcil.methods.classification import classification_term, cross_entropy_term
from tfcil.methods.distillation import taskwise_distillation_term

ABOUT = {"losses": ["ce", "bsce", "meta-bsce"], "second_stage": "balancing"}


def _terms(options, increment):
    return [
        classification_term(options, increment),
        taskwise_distillation_term(options, increment.earlier, options.distillation_weight),
    ]


def _balancing_terms(options, increment):
    tasks = (*increment.earlier, increment.num_new)
    return [
        cross_entropy_term(),
        taskwise_distillation_term(options, tasks, options.distillation_weight),
    ]


METHOD = Method(
    _terms,
    second_stage=Stage(
        _balancing_terms,
        name="balancing",
        balanced=True,
        teacher=lambda task, trained: copied(trained),
    ),
)
