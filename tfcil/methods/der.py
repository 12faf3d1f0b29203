"""der: one more backbone per task beside the frozen ones, and an auxiliary loss on the newest.

Then the head is trained again on balanced data, or its weights are aligned. Backbones are not
pruned.

Reference: Yan et al., "DER: Dynamically Expandable Representation" (arXiv 2103.16788).
"""

from tfcil.classifier import LOGITS, drawn
from tfcil.losses import auxiliary_crossentropy
from tfcil.methods.base import Method, Stage, Term
from tfcil.methods.classification import classification_term, cross_entropy_term
from tfcil.methods.corrections import align
from tfcil.methods.expansion import expanded_with_head

ABOUT = {
    "losses": ["ce", "bsce", "meta-bsce"],
    "second_stage": "balancing",
    "may_align": True,
}
TEMPERATURE = 5.0  # of the re-training, in the official code


def _terms(options, increment):
    def auxiliary(batch):
        return auxiliary_crossentropy(batch.labels, batch.student["auxiliary"], increment.num_old)

    return [classification_term(options, increment), Term("auxiliary", 1.0, auxiliary)]


def _with_new_head(task, trained):
    head = trained.get_layer(LOGITS)
    kernel, bias = head.get_weights()
    head.set_weights([drawn(task.generator, *kernel.shape), 0 * bias])
    return trained


def _align(classifier, task, held_out):
    if task.options.has_second_stage and task.options.weight_aligning:
        align(classifier, task)


METHOD = Method(
    _terms,
    teacher_outputs=(),
    student=lambda task, trained: expanded_with_head(task, 1 + task.increment.num_new),
    second_stage=Stage(
        lambda options, increment: [cross_entropy_term(temperature=TEMPERATURE)],
        name="balancing",
        teacher_outputs=(),
        balanced=True,
        head_only=True,
        student=_with_new_head,
    ),
    after_training=_align,
)
