"""ssil: softmaxes apart for old and new classes, distillation task by task, a fixed replay ratio.

Reference: Ahn et al., "SS-IL: Separated Softmax for Incremental Learning" (arXiv 2003.13947).
"""

from tfcil.losses import separated_softmax_crossentropy
from tfcil.methods.base import Method, Term
from tfcil.methods.distillation import taskwise_distillation_term

ABOUT = {"losses": ["ce"], "balanced_by": "its separated softmax"}


def _terms(options, increment):
    def separated(batch):
        return separated_softmax_crossentropy(
            batch.labels, batch.student["logits"], increment.num_old
        )

    return [
        Term("classification", 1.0, separated),
        taskwise_distillation_term(options, increment.earlier, options.distillation_weight),
    ]


METHOD = Method(_terms, replays=True)
