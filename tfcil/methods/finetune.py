"""finetune: only the classification loss, on the new images and the exemplars."""

from tfcil.methods.base import Method
from tfcil.methods.classification import classification_term, fold_logit_adjustment


def _terms(options, increment):
    return [classification_term(options, increment)]


FINETUNE = Method(terms=_terms, after_training=fold_logit_adjustment)
