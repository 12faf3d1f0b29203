"""bce: one sigmoid per class; a teacher's sigmoids are the targets of all old classes.

It is the whole loss of iCaRL and LwF-MC, classification and distillation in one.

Reference: Rebuffi et al., iCaRL (arXiv 1611.07725), algorithm 3.
"""

from tfcil import losses
from tfcil.components.facts import LossFacts
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = LossFacts(general=False, first_task=True)


def term(task, options=None):
    """Returns the binary cross-entropies."""

    def values(batch):
        taught = None if batch.teacher is None else batch.teacher["logits"]
        return losses.sigmoid_crossentropy(batch.labels, batch.student["logits"], taught)

    return Term(CLASSIFICATION, 1.0, values, teacher_reads=("logits",))
