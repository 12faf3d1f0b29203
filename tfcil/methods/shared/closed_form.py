"""How a method learns whose head follows from statistics: without a step of training.

The network is frozen, so that the statistics of old classes stay those of its features.
"""

import numpy as np

from tfcil import classifier
from tfcil.exemplars import ranks_of_sorted
from tfcil.methods.shared import frozen_network
from tfcil.methods.shared.confidence import gaussian_factor, likeliest_factor
from tfcil.methods.shared.statistics import BLOCK, ClassStatistics
from tfcil.training.phase import Learned

HELD_OUT = 10  # of this many images of a class, one is held out where a strength is chosen
KEPT, HELD = "kept_", "held_"


def learn(
    task, train, options, solve, choose=None, *, with_moment=True, balanced=False, project=None
):
    """Adds the statistics of the new classes to those before, and computes the head.

    With a moment its logits are scaled, so that their softmax gives probabilities.

    Args:
        task: the `Task`.
        train: the `Trainer`.
        options: `frozen_network.Options`.
        solve: `solve(statistics, strength)` returns kernel and bias of the head.
        choose: `choose(kept, held)` returns the strength, from the `ClassStatistics` of most images
            and of those held out; or `None`: there is none.
        with_moment: whether `solve` needs the moment.
        balanced: whether every class weighs the same in the moment, however many images it has.
        project: (d, m), to which features are projected and cut at 0; or `None`.

    Returns:
        The classifier and its statistics.
    """
    _check_statistics(task, with_moment)
    model = frozen_network.frozen_teacher(task, train, options)
    new = task.new()
    features = new.features(model)
    if project is not None:
        features = Projected(features, project)
    counts = np.bincount(new.labels, minlength=task.num_seen)
    weights = 1 / np.maximum(counts, 1) if balanced else np.ones(task.num_seen)
    held_out = ranks_in_class(new.labels) % HELD_OUT == HELD_OUT - 1
    statistics = {}
    for prefix, chosen in ((KEPT, ~held_out), (HELD, held_out)):
        rows = np.flatnonzero(chosen)
        own = ClassStatistics.of(features[rows], new.labels[rows], weights, with_moment)
        if task.statistics:
            own = ClassStatistics.of_arrays(task.statistics, prefix).plus(own)
        statistics[prefix] = own
    kept, held = statistics.values()
    strength = choose(kept, held) if choose else None
    kernel, bias = solve(kept.plus(held), strength)
    if with_moment:
        new_held = features[np.flatnonzero(held_out)], new.labels[held_out]
        factor = _factor(solve(kept, strength), kept, held, *new_held)
        kernel, bias = factor * kernel, factor * bias
    arrays = {}
    for prefix, own in statistics.items():
        arrays |= own.arrays(prefix)
    return Learned(classifier.with_head(model, kernel, bias, project), arrays)


def _factor(head, kept, held, features, labels):
    """Computes the factor of the logits from images held out: of all classes, and of the new ones.

    Of old classes only the statistics are there.
    """
    factor = gaussian_factor(head, kept, held)
    if len(labels) == 0:
        return factor
    kernel, bias = head
    blocks = [features[first : first + BLOCK] @ kernel for first in range(0, len(labels), BLOCK)]
    return likeliest_factor(np.concatenate(blocks) + bias, labels, held.weights[labels], factor)


def _check_statistics(task, with_moment):
    known = len(task.statistics.get(f"{KEPT}counts", ()))
    has_moment = known and len(task.statistics[f"{KEPT}moment"]) > 0
    same = not known or has_moment == with_moment
    frozen_network.check_kept(task, known if same else 0, "A closed-form method")


def ranks_in_class(labels):
    """Numbers the images of each class from 0, in their order: (n,)."""
    order = np.argsort(labels, kind="stable")
    ranks = np.empty(len(labels), int)
    ranks[order] = ranks_of_sorted(labels[order])
    return ranks


class Projected:
    """Feature vectors after a projection and a ReLU, computed when they are indexed.

    Args:
        features: float (n, d).
        projection: (d, m).
    """

    def __init__(self, features, projection):
        self._features, self._projection = features, projection
        self.shape = (len(features), projection.shape[1])

    def __getitem__(self, index):
        """Reads rows: by a slice as an array, by an array of positions without computing them."""
        if isinstance(index, slice):
            return np.maximum(self._features[index] @ self._projection, 0)
        return Projected(self._features[index], self._projection)
