"""lwf: learning without forgetting, in the form for classes that arrive (LwF-MC): no exemplars.

With `loss: bce` it is the LwF.MC of Rebuffi et al., iCaRL (arXiv 1611.07725); otherwise
classification over all seen classes and distillation of the teacher's logits with the factor
`distillation_weight`, after Li and Hoiem (arXiv 1606.09282).
"""

from pydantic import Field

from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative
from tfcil.methods.shared import terms

FACTS = MethodFacts(own_losses=("bce",), memory=False)


class Options(terms.Options):
    """Options of lwf."""

    distillation_weight: NonNegative = Field(1.0, description="factor of the distillation")


def learn(task, train, options):
    """Trains the grown network; a loss that reads the teacher needs no distillation besides."""
    phase_terms = [task.classification()]
    if not phase_terms[0].teacher_reads:
        weight = options.distillation_weight
        phase_terms.append(terms.logit_distillation_term(options.temperature, weight))
    return train(task, task.phase(phase_terms))
