"""baseline: classification and distillation of the teacher's logits over the old classes.

With `loss: ce` it is the IL-Baseline (iCaRL-CNN) of Hou et al., CVPR 2019; with `loss: bsce` it is
the method of Jodelet et al. 2021 (arXiv 2103.12532) on that host.
"""

from tfcil.losses import logit_distillation
from tfcil.methods.base import Method, Term
from tfcil.methods.classification import classification_term, fold_logit_adjustment


def _terms(options, increment):
    weight = options.distillation_weight
    if options.distillation_scale == "old_fraction":
        weight *= increment.num_old / (increment.num_old + increment.num_new)

    def distillation(labels, student, teacher):
        return logit_distillation(teacher["logits"], student["logits"], options.temperature)

    return [classification_term(options, increment), Term("distillation", weight, distillation)]


BASELINE = Method(terms=_terms, after_training=fold_logit_adjustment)
