"""Classification by the nearest mean of exemplars (NME)."""

import numpy as np

from tfcil.exemplars.selection import normalize_rows


def class_means(features, labels, num_classes, flipped=None):
    """Computes the unit vector in the direction of each class's mean normalised feature.

    Args:
        features: float array `(n, d)`, features of the exemplars.
        labels: int array `(n,)`, their classes in `0..num_classes-1`.
        num_classes: int.
        flipped: float array `(n, d)`, features of the same images mirrored left to right. With
            them the mean is the mean of both means.

    Returns:
        float64 array `(num_classes, d)`; NaN for a class without exemplars.

    Raises:
        ValueError: shapes disagree or a label is out of range.
        UserError: a feature is not finite.

    Reference:
        Rebuffi et al., iCaRL (arXiv 1611.07725), algorithm 1; the flipped images are in the
        official code only.
    """
    directions = normalize_rows(features)
    if flipped is not None:
        directions = (directions + normalize_rows(flipped)) / 2
    labels = np.asarray(labels)
    if labels.shape != directions.shape[:1]:
        raise ValueError(
            f"labels must have one entry for each of the {len(directions)} rows of features. "
            f"Received: shape={labels.shape}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f"labels must be in 0..{num_classes - 1}. Received: {labels.min()} to {labels.max()}"
        )
    # The sum has the direction of the mean.
    sums = np.zeros((num_classes, directions.shape[1]))
    np.add.at(sums, labels, directions)
    means = normalize_rows(sums)
    means[np.bincount(labels, minlength=num_classes) == 0] = np.nan
    return means


def nearest_mean(features, means):
    """Computes the class whose mean is nearest to each normalised feature.

    Some papers do not normalise the test features. The predictions are the same where all means
    have equal norm: `|f|^2 + |m|^2 - 2 f.m` then ranks the classes by `f.m`.

    Args:
        features: float array `(n, d)`, features of the images to classify.
        means: float array `(num_classes, d)`, from `class_means`. A class whose mean is NaN is
            never predicted.

    Returns:
        int64 array `(n,)`: the predicted classes.

    Raises:
        ValueError: no class has a mean.
        UserError: a feature is not finite.

    Reference:
        Rebuffi et al., iCaRL (arXiv 1611.07725), equation 2.
    """
    known = np.isfinite(means).all(axis=1)
    if not known.any():
        raise ValueError(f"means must hold at least one class. Received: {len(means)} without one")
    means = np.where(known[:, None], means, 0.0)
    half_square = np.where(known, np.square(means).sum(axis=1) / 2, np.inf)
    return np.argmax(normalize_rows(features) @ means.T - half_square, axis=1)
