"""baseline: classification and distillation of the teacher's logits over the old classes.

With `loss: ce` it is the IL-Baseline (iCaRL-CNN) of Hou et al., CVPR 2019; with `loss: bsce` it is
the method of Jodelet et al. 2021 (arXiv 2103.12532) on that host.
"""

from tfcil.methods.base import Method
from tfcil.methods.classification import classification_term
from tfcil.methods.distillation import logit_distillation_term, scaled_weight

ABOUT = {"losses": ["ce", "bsce", "meta-bsce", "relaxed-bsce"]}


def _terms(options, increment):
    return [
        classification_term(options, increment),
        logit_distillation_term(options, scaled_weight(options, increment)),
    ]


METHOD = Method(_terms)
