"""wa: mixed classification and distillation; then the correction `weight_aligning`.

Reference: Zhao et al., "Maintaining Discrimination and Fairness in Class Incremental Learning"
(arXiv 1911.07053).
"""

from tfcil.components.facts import MethodFacts
from tfcil.methods.shared import terms

FACTS = MethodFacts(correction="weight_aligning")

Options = terms.Options


def learn(task, train, options):
    """Trains the grown network on the mixed loss."""
    return train(task, task.phase(terms.mixed_terms(task, options.temperature)))
