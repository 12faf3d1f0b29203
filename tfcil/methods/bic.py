"""bic: mixed classification and distillation; then the correction `bias_layer`.

The next task's teacher has the bias layer folded into its head, and the student goes on from it.

Reference: Wu et al., "Large Scale Incremental Learning" (arXiv 1905.13260).
"""

from tfcil.components.facts import MethodFacts
from tfcil.methods.shared import terms

FACTS = MethodFacts(correction="bias_layer")

Options = terms.Options


def learn(task, train, options):
    """Trains the grown network on the mixed loss."""
    return train(task, task.phase(terms.mixed_terms(task, options.temperature)))
