"""The difference between a model's probabilities and its accuracy."""

import numpy as np

from tfcil.evaluation.registry import Measure

BINS = 15


def compute(evidence):
    """Computes the expected calibration error of the softmax of the logits.

    The confidence of an image is the probability of its predicted class. It falls into one of 15
    bins of equal width, `(0, 1/15], ..., (14/15, 1]`. The error is the mean of |accuracy - mean
    confidence| over the bins, weighted by their numbers of images.

    Returns:
        float in 0..1, or `None` if a logit is not finite.

    Reference:
        Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599), equation 3.
    """
    logits = np.asarray(evidence.logits, np.float64)
    if not np.isfinite(logits).all():
        return None
    # The softmax of the highest logit is 1 divided by this sum.
    sums = np.exp(logits - logits.max(axis=1, keepdims=True)).sum(axis=1)
    confidences = 1 / sums
    hits = logits.argmax(axis=1) == evidence.labels
    bins = np.ceil(confidences * BINS).astype(int) - 1
    # The weights turn the means of the bins into sums.
    differences = np.bincount(bins, hits - confidences, minlength=BINS)
    return float(np.abs(differences).sum() / len(logits))


MEASURE = Measure("expected calibration error", compute, kind="points", less_is_better=True)
