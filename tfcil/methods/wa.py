"""wa: mixed classification and distillation; then the new classes' weights are aligned.

Reference: Zhao et al., "Maintaining Discrimination and Fairness in Class Incremental Learning"
(arXiv 1911.07053).
"""

from tfcil.methods.base import Method
from tfcil.methods.corrections import align
from tfcil.methods.distillation import mixed_terms

ABOUT = {"losses": ["ce", "bsce", "meta-bsce"], "second_stage": "correction"}


def _align(classifier, task, held_out):
    if task.options.has_second_stage:
        align(classifier, task)


METHOD = Method(mixed_terms, after_training=_align)
