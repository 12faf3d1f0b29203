"""By which number a closed-form head's logits are multiplied, so that their softmax gives
probabilities."""

import numpy as np

from tfcil.methods.shared.statistics import scatter

SPREAD = 0.5  # standard deviation of ln(factor) around what Gaussian classes give


def likeliest_factor(logits, labels, weights, expected):
    """Computes the factor of the smallest cross-entropy on images held out, near an expected one.

    The logarithm of the factor has a normal prior around that of `expected`: a few images, all of
    them classified correctly, do not make every answer certain.

    Args:
        logits: (n, classes) of the images held out, by a head computed without them.
        labels: int (n,).
        weights: (n,), of the images; only their ratios count.
        expected: the factor without any image, above 0.

    Returns:
        float above 0.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    below_truth = logits - np.take_along_axis(logits, labels[:, None], axis=1)
    weights = weights * (len(labels) / weights.sum())

    def loss(log_ratio):
        entropies = logsumexp(expected * np.exp(log_ratio) * below_truth, axis=1)
        return weights @ entropies + 0.5 * (log_ratio / SPREAD) ** 2

    return expected * float(np.exp(minimize_scalar(loss, bounds=(-7, 7)).x))


def gaussian_factor(head, kept, held):
    """Computes the factor that would be right if the margins between classes were Gaussian.

    For two classes and a Gaussian margin, logit of the true class minus that of the other, the log
    odds are 2 / v times the margin, m its mean and v its variance: s = 2 m / v. Over all pairs the
    sums of g m and g v take their places, g = exp(-m^2 / 2v), as images near the boundary decide.

    Args:
        head: kernel (d, classes) and bias (classes,), computed without the images held out.
        kept: the `ClassStatistics` that the head was computed from.
        held: those of the images held out.

    Returns:
        float above 0; 1 where no image is held out, or the head is no better than chance on them.
    """
    seen = held.counts > 0
    if not seen.any():
        return 1.0
    kernel, bias = head
    logits = held.means @ kernel + bias
    margins = np.diagonal(logits)[:, None] - logits
    spread = scatter(held, kept.means) / (held.weights * held.counts).sum()
    products = kernel.T @ spread @ kernel
    squares = np.diagonal(products)
    variances = squares[:, None] + squares - 2 * products
    pairs = (seen[:, None] & (variances > 0)) & ~np.eye(len(bias), dtype=bool)
    if not pairs.any():
        return 1.0
    mean, variance = margins[pairs], variances[pairs]
    distance = 0.5 * mean**2 / variance
    near = np.exp(distance.min() - distance)  # the largest is 1, however far they all are
    factor = 2 * (near @ mean) / (near @ variance)
    return factor if factor > 0 else 1.0
