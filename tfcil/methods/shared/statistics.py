"""What closed-form methods keep of classes instead of images, and the heads that follow from it.

Counts, sums and products of feature vectors add up over tasks while the network stays as it is:
the order of the tasks does not matter, and no image is needed again.
"""

from dataclasses import dataclass, fields

import numpy as np

BLOCK = 1024  # feature vectors that are read at a time


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Sums over the feature vectors of all images so far.

    Attributes:
        counts: int64 (classes,), images of each class.
        sums: float64 (classes, d), sum of the feature vectors x of each class.
        moment: float64 (d, d), sum of w x x^T with the weight w of the image; (0, 0) where a method
            needs none.
        weights: float64 (classes,), w of each class.
    """

    counts: np.ndarray
    sums: np.ndarray
    moment: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, features, labels, weights, with_moment=True):
        """Computes the statistics of some images.

        Args:
            features: float (n, d), read in blocks.
            labels: int (n,).
            weights: (classes,), w of an image of each class.
            with_moment: whether products are summed.
        """
        num_classes, dimension = len(weights), features.shape[1]
        sums = np.zeros((num_classes, dimension))
        side = dimension if with_moment else 0
        moment = np.zeros((side, side))
        for first in range(0, len(labels), BLOCK):
            some = np.asarray(features[first : first + BLOCK], "float64")
            of_class = np.asarray(labels[first : first + BLOCK])
            np.add.at(sums, of_class, some)
            if with_moment:
                weighted = some * np.sqrt(weights[of_class, None])
                moment += weighted.T @ weighted  # of one array: computed in half the time
        return cls(np.bincount(labels, minlength=num_classes), sums, moment, weights)

    def plus(self, other):
        """Adds the statistics of other images; an image weighs in both as its class does."""
        known = max(len(self.counts), len(other.counts))
        first, second = _padded(self, known), _padded(other, known)
        weights = np.where(first.counts > 0, first.weights, second.weights)
        return ClassStatistics(
            first.counts + second.counts,
            first.sums + second.sums,
            first.moment + second.moment,
            weights,
        )

    @property
    def means(self):
        """Mean feature vector of each class, float64 (classes, d); 0 of a class without images."""
        return self.sums / np.maximum(self.counts, 1)[:, None]

    def arrays(self, prefix=""):
        """Returns the arrays to keep, by name; of the moment, which is symmetric, one half."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        kept["moment"] = self.moment[np.triu_indices(len(self.moment))]
        return {f"{prefix}{name}": array for name, array in kept.items()}

    @classmethod
    def of_arrays(cls, arrays, prefix=""):
        """Returns the statistics that `arrays` gave."""
        kept = {field.name: arrays[f"{prefix}{field.name}"] for field in fields(cls)}
        half = kept["moment"]
        side = int((2 * len(half)) ** 0.5)
        moment = np.zeros((side, side))
        moment[np.triu_indices(side)] = half
        lower = np.tril_indices(side, -1)
        moment[lower] = moment.T[lower]
        return cls(**kept | {"moment": moment})


def _padded(statistics, known):
    missing = known - len(statistics.counts)
    return ClassStatistics(
        np.pad(statistics.counts, (0, missing)),
        np.pad(statistics.sums, ((0, missing), (0, 0))),
        statistics.moment,
        np.pad(statistics.weights, (0, missing)),
    )


def nearest_mean_head(statistics, cosine):
    """Computes the head whose highest logit is the class of the nearest mean feature.

    Args:
        statistics: the `ClassStatistics`.
        cosine: whether nearest is by angle; otherwise by Euclidean distance.

    Returns:
        kernel (d, classes) and bias (classes,), float64.
    """
    means = statistics.means
    if cosine:
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        return (means / np.maximum(lengths, 1e-12)).T, np.zeros(len(means))
    return means.T, -0.5 * np.sum(means**2, axis=1)


def covariance(statistics, shrinkage):
    """Computes the covariance that all classes share, drawn to a multiple of the identity.

    Args:
        statistics: the `ClassStatistics`, of weights of 1.
        shrinkage: 0 to 1, the part of the identity times the mean variance.

    Returns:
        float64 (d, d); the identity where no image differs from the mean of its class.
    """
    within = scatter(statistics, statistics.means)
    # Differences of large sums: what is exactly 0 comes out as rounding.
    if np.trace(within) <= 1e-12 * np.trace(statistics.moment):
        return np.eye(len(within))
    within /= max(statistics.counts.sum() - np.count_nonzero(statistics.counts), 1)
    variance = np.trace(within) / len(within)
    return (1 - shrinkage) * within + shrinkage * variance * np.eye(len(within))


def scatter(statistics, means):
    """Computes the sum of w (x - m)(x - m)^T, m the mean of the class of x: (d, d).

    Args:
        statistics: the `ClassStatistics`.
        means: (classes, d), m of each class.
    """
    weights = statistics.weights
    crossed = (weights[:, None] * statistics.sums).T @ means
    within = (means.T * (weights * statistics.counts)) @ means
    return statistics.moment - crossed - crossed.T + within


def discriminant_head(statistics, shared):
    """Computes the head of linear discriminant analysis, with equal priors.

    Args:
        statistics: the `ClassStatistics`.
        shared: (d, d), covariance of all classes.

    Returns:
        kernel (d, classes) and bias (classes,), float64.
    """
    means = statistics.means
    kernel = np.linalg.solve(shared, means.T)
    return kernel, -0.5 * np.sum(means.T * kernel, axis=0)


def gaussian_loss(shared, means, held):
    """Computes the mean negative log-likelihood of images held out, but for a constant.

    Args:
        shared: (d, d), covariance of all classes.
        means: (classes, d), of the classes.
        held: the `ClassStatistics` of the images held out, of weights of 1.
    """
    spread = scatter(held, means) / held.counts.sum()
    _, log_determinant = np.linalg.slogdet(shared)
    return 0.5 * (np.trace(np.linalg.solve(shared, spread)) + log_determinant)


def ridge_head(statistics, strength, centred=True):
    """Computes the head that minimises the squared error to one-hot targets, with an L2 penalty.

    The penalty is `strength` times the mean of the diagonal of the moment, so that it has no unit.

    Args:
        statistics: the `ClassStatistics`.
        strength: 0 or more.
        centred: whether there is a bias, which is not penalised.

    Returns:
        kernel (d, classes) and bias (classes,), float64.
    """
    from scipy import linalg

    totals = statistics.weights * statistics.counts
    products = (statistics.weights[:, None] * statistics.sums).T
    moment, mean = statistics.moment, np.zeros(len(products))
    if centred:
        mean = products.sum(axis=1) / totals.sum()
        moment = moment - totals.sum() * np.outer(mean, mean)
        products = products - np.outer(mean, totals)
    penalty = strength * np.trace(moment) / len(moment)
    penalised = moment + penalty * np.eye(len(moment))
    kernel = linalg.solve(penalised, products, assume_a="pos")
    bias = totals / totals.sum() - mean @ kernel if centred else np.zeros(len(totals))
    return kernel, bias


def squared_error(head, held):
    """Computes the mean squared error of a head's logits to one-hot targets on images held out.

    Args:
        head: kernel (d, classes) and bias (classes,).
        held: the `ClassStatistics` of the images held out.
    """
    kernel, bias = head
    totals = held.weights * held.counts
    sums = held.weights[:, None] * held.sums
    # |W^T x + b - y|^2, summed: the moment holds the sum of w x x^T, and y has one 1.
    quadratic = np.sum(kernel * (held.moment @ kernel))
    linear = 2 * np.sum(sums.sum(axis=0) @ (kernel * bias)) - 2 * np.sum(sums.T * kernel)
    constant = totals.sum() * bias @ bias - 2 * totals @ bias + totals.sum()
    return (quadratic + linear + constant) / totals.sum()
