"""lwf: learning without forgetting, in the form for classes that arrive (LwF-MC): no exemplars.

With `loss: bce` it is the LwF.MC of Rebuffi et al., iCaRL (arXiv 1611.07725); otherwise
classification over all seen classes and distillation of the teacher's logits with the factor
`distillation_weight`, after Li and Hoiem (arXiv 1606.09282).
"""

from tfcil.methods.base import Method
from tfcil.methods.classification import classification_term, sigmoid_term
from tfcil.methods.distillation import logit_distillation_term

ABOUT = {"losses": ["ce", "bce", "bsce", "relaxed-bsce"], "memory": False}


def _terms(options, increment):
    if options.loss == "bce":
        return [sigmoid_term()]
    return [
        classification_term(options, increment),
        logit_distillation_term(options, options.distillation_weight),
    ]


METHOD = Method(_terms)
