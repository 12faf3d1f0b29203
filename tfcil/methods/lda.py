"""lda: linear discriminant analysis, class means and one covariance; nothing is trained.

Reference: for class-incremental learning with a frozen network Hayes & Kanan, "Lifelong Machine
Learning with Deep Streaming Linear Discriminant Analysis" (arXiv 1909.01520).
"""

import numpy as np
from pydantic import Field

from tfcil.components.facts import MethodFacts
from tfcil.components.recipe import Fraction
from tfcil.errors import UserError
from tfcil.methods.shared import closed_form, frozen_network
from tfcil.methods.shared.statistics import covariance, discriminant_head, gaussian_loss

FACTS = MethodFacts(keeps_statistics=True, removes_prior="its equal classes")
SHRINKAGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.8)


class Options(frozen_network.Options):
    """Options of lda."""

    shrinkage: Fraction | None = Field(
        None,
        description="part of the covariance that is its mean variance; null: the likeliest for "
        "images held out",
    )


def learn(task, train, options):
    """Computes means, covariance and the head."""

    def choose(kept, held):
        def loss(shrinkage):
            return gaussian_loss(covariance(kept, shrinkage), kept.means, held)

        if options.shrinkage is not None:
            return options.shrinkage
        return min(SHRINKAGES, key=loss) if held.counts.any() else SHRINKAGES[-1]

    def solve(statistics, shrinkage):
        shared = covariance(statistics, shrinkage)
        if shrinkage < SHRINKAGES[0]:  # from there on, none is singular
            _check_rank(shared, shrinkage)
        return discriminant_head(statistics, shared)

    return closed_form.learn(task, train, options, solve, choose)


def _check_rank(shared, shrinkage):
    if np.linalg.matrix_rank(shared, hermitian=True) < len(shared):
        raise UserError(
            "options.lda.shrinkage: expected more, or null, as some features, or sums of them, do "
            f"not vary within classes. Received: options.lda.shrinkage={shrinkage}"
        )
