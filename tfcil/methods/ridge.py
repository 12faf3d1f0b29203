"""ridge: regression to one-hot targets with an L2 penalty, in closed form; nothing is trained.

References: Zhuang et al., ACIL (arXiv 2205.14922); with `balanced`, AIR of Fang et al.
(arXiv 2408.10349).
"""

from pydantic import Field

from tfcil.components.facts import MethodFacts
from tfcil.components.sections import Positive
from tfcil.methods.shared import closed_form, frozen_network
from tfcil.methods.shared.statistics import ridge_head, squared_error

FACTS = MethodFacts(keeps_statistics=True)
STRENGTHS = tuple(10.0**power for power in range(-5, 2))


class Options(frozen_network.Options):
    """Options of ridge."""

    strength: Positive | None = Field(
        None,
        description="of the penalty, by the mean of the squared features; null: the best for "
        "images held out",
    )
    balanced: bool = Field(
        False, description="whether every class weighs the same, however many images it has"
    )

    @property
    def removes_prior(self) -> str | None:
        """What in it makes classes equally frequent."""
        return "options.ridge.balanced" if self.balanced else None


def learn(task, train, options):
    """Computes the moments and the head."""

    def head(kept, held):
        return fitted_head(kept, held, options.strength)

    return closed_form.learn(task, train, options, head, balanced=options.balanced)


def fitted_head(kept, held, strength, centred=True):
    """Computes the head for all images.

    Args:
        kept: `ClassStatistics` of most images.
        held: of those held out.
        strength: of the penalty; `None`: the best for the images held out.
        centred: whether the head has a bias.
    """
    if strength is None:

        def loss(strength):
            return squared_error(ridge_head(kept, strength, centred), held)

        strength = closed_form.best(STRENGTHS, loss) if held.counts.any() else STRENGTHS[-2]
    return ridge_head(kept.plus(held), strength, centred)
