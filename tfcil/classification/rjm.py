"""rjm: the reduced Jeffries-Matusita distance, 1 - sqrt(p_y), after a part by cross-entropy.

Reference: Lashkari & Gheibi (arXiv 2403.08408).
"""

from pydantic import Field

from tfcil import losses
from tfcil.classification.shared import bounded
from tfcil.components import facts
from tfcil.components.sections import Positive

FACTS = facts.LossFacts(first_task=True)


class Options(bounded.BoundedOptions):
    """Options of rjm."""

    scale: Positive = Field(
        2.0,
        description="factor of the loss after the warm-up; 2: the gradient of a sample that is "
        "nearly learned is that of cross-entropy, and the loss is gce with q = 0.5",
    )


def warning(options):
    """Returns a line of warning where there is no warm-up."""
    return bounded.warning("rjm", options)


def term(task, options):
    """Returns cross-entropy, then the reduced Jeffries-Matusita distance."""
    return bounded.bounded_term(task, losses.reduced_jeffries_matusita, options)
