"""Rules as plain Keras models: NAME.py converts a classifier to predict by the rule NAME.

Its function `saved_form` takes the classifier's model and, if `NEEDS_MEMORY`, the `ExemplarMemory`.
It returns a model whose highest output is the class that the rule predicts.
"""

import importlib
from dataclasses import replace

from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory


def predict_by(rule, memory=None):
    """Returns a function from a `Classifier` to one that predicts by a rule of `RULES`.

    `memory` is the path of memory/TASK.npz, for a rule that reads the exemplars.

    Raises:
        UserError: `memory` is missing, or the rule does not read it.
    """
    module = importlib.import_module(f"{__name__}.{rule}")
    if (memory is not None) != module.NEEDS_MEMORY:
        expected = "--memory memory/TASK.npz" if module.NEEDS_MEMORY else "no --memory"
        raise UserError(f"--rule {rule}: expected {expected}. Received: memory={memory}")

    def changed(classifier):
        exemplars = [ExemplarMemory.load(memory)] if module.NEEDS_MEMORY else []
        return replace(classifier, model=module.saved_form(classifier.model, *exemplars))

    return changed
