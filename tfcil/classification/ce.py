"""ce: softmax cross-entropy over all seen classes."""

from tfcil import losses
from tfcil.components.facts import LossFacts
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = LossFacts(first_task=True)


def term(task, options=None, output="logits", temperature=1.0):
    """Returns cross-entropy; `output` names the student's logits, which `temperature` divides."""

    def values(batch):
        return losses.softmax_crossentropy(batch.labels, batch.student[output], temperature)

    return Term(CLASSIFICATION, 1.0, values, reads=(output,))
