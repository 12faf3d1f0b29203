"""ncm: the class of the nearest mean feature, of all images of each class; nothing is trained.

With a pretrained network it is SimpleCIL, Zhou et al. (arXiv 2303.07338).
"""

from typing import Literal

from pydantic import Field

from tfcil.components.facts import MethodFacts
from tfcil.methods.shared import closed_form, frozen_network
from tfcil.methods.shared.statistics import nearest_mean_head

FACTS = MethodFacts(keeps_statistics=True, removes_prior="its class means")


class Options(frozen_network.Options):
    """Options of ncm."""

    distance: Literal["cosine", "euclidean"] = Field(
        "cosine", description="of an image from the mean of a class"
    )


def learn(task, train, options):
    """Computes the means."""

    def solve(statistics, _):
        return nearest_mean_head(statistics, options.distance == "cosine")

    return closed_form.learn(task, train, options, solve, with_moment=False)
