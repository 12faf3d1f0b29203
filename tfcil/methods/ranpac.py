"""ranpac: features projected at random and cut at 0, then ridge regression; nothing is trained.

Reference: McDonnell et al., RanPAC (arXiv 2307.02251).
"""

from functools import cache, partial

from pydantic import Field

from tfcil import classifier
from tfcil.components.facts import MethodFacts
from tfcil.components.sections import PositiveInt
from tfcil.methods import ridge
from tfcil.methods.shared import closed_form
from tfcil.methods.shared.statistics import ridge_head

FACTS = MethodFacts(keeps_statistics=True)


class Options(ridge.Options):
    """Options of ranpac."""

    projections: PositiveInt = Field(5000, description="how many; published with 10,000")

    @property
    def removes_prior(self) -> str | None:
        """What in it makes classes equally frequent."""
        return "options.ranpac.balanced" if self.balanced else None


def learn(task, train, options):
    """Projects the features by the matrix of the first task, and computes the head."""

    projection = classifier.projection_of(task.teacher)
    if projection is None:
        dimension = task.teacher.get_layer(classifier.FEATURES).output.shape[-1]
        shape = dimension, options.projections
        projection = task.generator.standard_normal(shape).astype("float32")
    solve = cache(partial(ridge_head, centred=False))
    choose = partial(ridge.chosen_strength, solve=solve, given=options.strength)
    return closed_form.learn(
        task, train, options, solve, choose, balanced=options.balanced, project=projection
    )
