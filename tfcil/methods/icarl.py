"""icarl: sigmoids and herding; its prediction is the nearest mean of exemplars.

`loss: bce` is the loss as published by Rebuffi et al. (arXiv 1611.07725): binary cross-entropies
whose targets for old classes are the teacher's predictions. The others are the softmax variant of
later codes: classification and distillation, as in `baseline`.
"""

from tfcil.components.facts import MethodFacts
from tfcil.methods import baseline

FACTS = MethodFacts(own_losses=("bce",))

Options = baseline.Options  # for its softmax variant


def learn(task, train, options):
    """Trains the grown network on the sigmoids, or as `baseline` does."""
    classification = task.classification()
    if not classification.teacher_reads:
        return baseline.learn(task, train, options)
    return train(task, task.phase([classification]))
