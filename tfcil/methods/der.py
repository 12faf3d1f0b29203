"""der: one more backbone per task beside the frozen ones, and an auxiliary loss on the newest.

The balanced fine-tuning trains the head again from the start; `correction: weight_aligning` aligns
it instead. Backbones are not pruned.

Reference: Yan et al., "DER: Dynamically Expandable Representation" (arXiv 2103.16788).
"""

from tfcil import classifier, losses
from tfcil.classification import ce
from tfcil.components.facts import MethodFacts
from tfcil.training.phase import Term, head_only

FACTS = MethodFacts(correction="balanced_finetuning")
TEMPERATURE = 5.0  # of the fine-tuning, in the official code


def learn(task, train, options):
    """Trains a new backbone, the head, and an auxiliary head that tells new classes from old."""

    def auxiliary(batch):
        logits = batch.student["auxiliary"]
        return losses.auxiliary_crossentropy(batch.labels, logits, task.num_old)

    phase_terms = [task.classification(), Term("auxiliary", 1.0, auxiliary)]
    student = task.expanded(auxiliary=1 + task.num_new)
    return train(task, task.phase(phase_terms, student))


def finetuning(task, trained, options):
    """Returns the training of a new head on the frozen features."""
    head = trained.get_layer(classifier.LOGITS)
    kernel, bias = head.get_weights()
    head.set_weights([classifier.drawn(task.generator, *kernel.shape), 0 * bias])
    cross_entropy = ce.term(task, temperature=TEMPERATURE)
    return task.phase([cross_entropy], trained, "balancing", trainable=head_only)
