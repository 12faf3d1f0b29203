"""relaxed_bsce: balanced softmax without a memory; classes without images count `epsilon`.

What it is in Jodelet et al. (arXiv 2103.12532) is our reading.
"""

import numpy as np
from pydantic import Field

from tfcil.classification.bsce import counts_term
from tfcil.classification.shared.prior import BalancedOptions
from tfcil.components import facts
from tfcil.components.sections import Positive

FACTS = facts.LossFacts(removes_prior=True, memory="refuses", smooths=True)


class Options(BalancedOptions):
    """Options of relaxed_bsce."""

    epsilon: Positive = Field(1.0, description="count of a class without images")


def term(task, options):
    """Returns the balanced softmax cross-entropy."""
    counts = np.array(task.class_counts, "float64")
    return counts_term(task, np.where(counts > 0, counts, options.epsilon), options.tau)
