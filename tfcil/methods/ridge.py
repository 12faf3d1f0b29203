"""ridge: regression to one-hot targets with an L2 penalty, in closed form; nothing is trained.

References: Zhuang et al., ACIL (arXiv 2205.14922); with `balanced`, AIR of Fang et al.
(arXiv 2408.10349).
"""

from functools import cache, partial

from pydantic import Field

from tfcil.components.facts import MethodFacts
from tfcil.components.sections import Positive
from tfcil.methods.shared import closed_form, frozen_network
from tfcil.methods.shared.statistics import ridge_head, squared_error

FACTS = MethodFacts(keeps_statistics=True)
STRENGTHS = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
UNCHOSEN = 0.1  # strength where no image is held out
NEARLY = 1.05  # errors up to so many times the smallest count as equal


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

    solve = cache(ridge_head)
    choose = partial(chosen_strength, solve=solve, given=options.strength)
    return closed_form.learn(task, train, options, solve, choose, balanced=options.balanced)


def chosen_strength(kept, held, solve, given):
    """Returns the strength of the penalty, by default one that is good for the images held out.

    Of all strengths whose squared error is nearly the smallest it is the weakest: the squared error
    prefers stronger ones than the accuracy does.

    Args:
        kept: `ClassStatistics` of most images.
        held: of those held out.
        solve: `solve(statistics, strength)` returns kernel and bias of the head.
        given: the strength, or `None`.
    """

    if given is not None:
        return given
    if not held.counts.any():
        return UNCHOSEN
    errors = [squared_error(solve(kept, strength), held) for strength in STRENGTHS]
    limit = NEARLY * min(errors)
    return next(one for one, error in zip(STRENGTHS, errors, strict=True) if error <= limit)
