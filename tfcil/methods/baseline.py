"""baseline: classification and distillation of the teacher's logits over the old classes.

With `loss: ce` it is the IL-Baseline (iCaRL-CNN) of Hou et al., CVPR 2019; with `loss: bsce` it is
the method of Jodelet et al. 2021 (arXiv 2103.12532) on that host.
"""

from typing import Literal

from pydantic import Field

from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative
from tfcil.methods.shared import terms
from tfcil.methods.shared.reweighted import OUTPUT, reweighted_phase

FACTS = MethodFacts()


class Options(terms.Options):
    """Options of baseline."""

    distillation_weight: NonNegative = Field(1.0, description="factor of the distillation")
    distillation_scale: Literal["constant", "old_fraction"] = Field(
        "old_fraction", description="old_fraction multiplies the factor by old/seen classes"
    )
    reweighting: Literal["none", "official", "symmetric"] = Field(
        "none", description="the gradients of the head as of dgr; its task_ratio, or none"
    )


def learn(task, train, options):
    """Trains the grown network on both terms."""
    reweighted = options.reweighting != "none"
    output = OUTPUT if reweighted else "logits"
    phase_terms = [
        task.classification(),
        terms.logit_distillation_term(options.temperature, weight(task, options), output),
    ]
    if reweighted:
        return train(task, reweighted_phase(task, phase_terms, options.reweighting))
    return train(task, task.phase(phase_terms))


def weight(task, options) -> float:
    """Computes `distillation_weight` under `distillation_scale`."""
    scaled = options.distillation_scale == "old_fraction"
    return options.distillation_weight * (task.num_old / task.num_seen if scaled else 1.0)
