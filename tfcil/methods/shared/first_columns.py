"""The first weight vectors of new classes, computed from features instead of drawn.

NumPy alone. Kernels are (d, classes), old classes first; labels are ranks in the class order.
"""

import warnings

import numpy as np

from tfcil.errors import UserError

SHORTEST = 1e-12  # a vector shorter than this has no direction


def imprinted_columns(features, labels, num_old, num_new, norm):
    """Computes the direction of each new class's mean unit feature, as columns of one length.

    Args:
        features: pooled features, (images, d); those of old classes are left out.
        labels: integer labels, (images,).
        num_old: number of old classes.
        num_new: number of new classes.
        norm: length of the columns; LUCIR takes the mean norm of the old ones.

    Returns:
        The columns of the new classes, float64, (d, num_new), none of them 0.

    Raises:
        UserError: a new class has no image.

    Reference:
        Qi et al., "Low-Shot Learning with Imprinted Weights" (arXiv 1712.07136), as used by Hou
        et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
    """
    groups = _unit_features_of_new_classes(features, labels, num_old, num_new)
    return _columns([group.mean(axis=0) for group in groups], norm)


def clustered_proxies(features, labels, num_old, num_new, proxies, norm, seed):
    """Computes the k-means centres of each new class's unit features, as columns of one length.

    A class with fewer different images than proxies repeats them.

    Args:
        features, labels, num_old, num_new, norm: as of `imprinted_columns`.
        proxies: columns per class.
        seed: seed, or generator, of the first centres (k-means++).

    Returns:
        The columns of the new classes, float64, (d, num_new * proxies), none of them 0; column
        class * proxies + k is a class's proxy k.

    Raises:
        UserError: a new class has no image.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), section 3.3, and the authors' code.
    """
    generator = np.random.default_rng(seed)
    groups = _unit_features_of_new_classes(features, labels, num_old, num_new)
    return _columns(np.concatenate([_centres(each, proxies, generator) for each in groups]), norm)


def _unit_features_of_new_classes(features, labels, num_old, num_new):
    """Returns one float64 array (images, d) per new class."""
    features, labels = np.asarray(features, "float64"), np.asarray(labels)
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.maximum(lengths, SHORTEST)
    groups = [features[labels == label] for label in range(num_old, num_old + num_new)]
    if not all(len(group) for group in groups):
        raise UserError(
            f"every new class, {num_old} to {num_old + num_new - 1}, needs an image. "
            f"Received: labels={np.unique(labels).tolist()}"
        )
    return groups


def _centres(points, count, generator):
    """Returns `count` k-means centres, (count, d)."""
    from scipy.cluster.vq import kmeans2

    different = np.unique(points.round(6), axis=0)
    if len(different) <= count:
        return different[np.arange(count) % len(different)]
    with warnings.catch_warnings():
        # A cluster that loses its last point keeps its centre: harmless.
        warnings.filterwarnings("ignore", "One of the clusters is empty", UserWarning)
        return kmeans2(points, count, iter=50, minit="++", rng=generator)[0]


def _columns(directions, norm):
    """Returns the directions as columns of one length; the diagonal where there is none."""
    directions = np.array(directions)
    directions[np.linalg.norm(directions, axis=1) < SHORTEST] = 1
    return (norm * directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
