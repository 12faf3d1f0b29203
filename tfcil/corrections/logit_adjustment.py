"""logit_adjustment: z - tau log(prior), folded into the head of the saved model.

Reference: Menon et al., "Long-tail learning via logit adjustment" (arXiv 2007.07314), post-hoc
form.
"""

import numpy as np
from pydantic import Field

from tfcil import classifier
from tfcil.components import facts
from tfcil.components.sections import NonNegative
from tfcil.corrections.shared.every_class import check_every_class

FACTS = facts.CorrectionFacts(needs_memory=True, expects_prior=True)


class Options(facts.Options):
    """Options of logit_adjustment."""

    tau: NonNegative = Field(1.0, description="strength; 0: none")
    first_task: bool = Field(
        False, description="also after the first task, for classes of unequal size"
    )


def check(task, options) -> None:
    """Refuses a task in which a class has no image: its prior says nothing."""
    check_every_class(task, "logit_adjustment")


def correct(task, train, trained, options):
    """Adds the shift to the logits of the classifier."""
    return classifier.plain(trained, prior_shift(task.class_counts, options.tau))


def prior_shift(class_counts, tau):
    """Computes minus tau times the log prior, (classes,), float64.

    Args:
        class_counts: images of each class that was trained on, (classes,), all positive.
        tau: strength.
    """
    counts = np.array(class_counts, "float64")
    return -tau * np.log(counts / counts.sum())
