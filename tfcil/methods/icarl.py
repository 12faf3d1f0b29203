"""icarl: sigmoids and herding; its prediction is the nearest mean of exemplars.

`loss: bce` is the loss as published by Rebuffi et al. (arXiv 1611.07725): binary cross-entropies
whose targets for old classes are the teacher's predictions. The others are the softmax variant of
later codes: classification and distillation, as in `baseline`.
"""

from tfcil.methods import baseline
from tfcil.methods.base import Method
from tfcil.methods.classification import sigmoid_term

ABOUT = {"losses": ["ce", "bce", "bsce", "meta-bsce"]}


def _terms(options, increment):
    if options.loss == "bce":
        return [sigmoid_term()]
    return baseline.METHOD.terms(options, increment)


METHOD = Method(_terms)
