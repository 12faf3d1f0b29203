"""ce: softmax cross-entropy over all seen classes."""

from tfcil import losses
from tfcil.components.facts import LossFacts
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = LossFacts(first_task=True, smooths=True)


def term(task, options=None, output="logits", temperature=1.0):
    """Returns cross-entropy; `output` names the student's logits, which `temperature` divides."""

    smoothing = task.recipe.label_smoothing

    def values(batch):
        logits = batch.student[output]
        return losses.softmax_crossentropy(batch.labels, logits, temperature, smoothing)

    return Term(CLASSIFICATION, 1.0, values, reads=(output,))
