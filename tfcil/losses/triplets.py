"""The triplet loss: images of a class lie closer together than those of different classes."""

from keras import ops

from tfcil.losses.numerics import (
    MASKED,
    at_least_float32,
    integer_labels,
    squared_distances,
    unit_vectors,
)


def triplet(y_true, features, margin=0.2):
    """Computes the triplet loss with semi-hard negatives, which it finds in the batch.

    A triplet is a sample a, another one p of its class, and one n of another class. With d the
    squared distance of the features' unit vectors, its value is max(0, margin + d(a, p) - d(a, n)).
    For each a and p, n is the nearest one that is farther from a than p is; where there is none,
    the value is 0.

    Args:
        y_true: integer labels, (batch,) or (batch, 1).
        features: pooled features before the head, not normalised, (batch, d).
        margin: by how much d(a, n) should exceed d(a, p); squared distances are from 0 to 4.

    Returns:
        For each sample as a, the mean over all p, (batch,), float32 or wider; 0 for a sample that
        is alone in its class. It takes batch^3 numbers.

    Reference:
        Schroff et al., "FaceNet: A Unified Embedding for Face Recognition and Clustering"
        (arXiv 1503.03832). The mean over the pairs of a and p is our reading.
    """
    labels, vectors = integer_labels(y_true), unit_vectors(at_least_float32(features))
    distances = squared_distances(vectors, vectors)
    same = ops.equal(labels[:, None], labels[None, :])
    places = ops.arange(ops.shape(labels)[0])
    positive = ops.logical_and(same, ops.not_equal(places[:, None], places[None, :]))
    # By a, p and n.
    farther = distances[:, None, :] > distances[:, :, None]
    semi_hard = ops.logical_and(farther, ops.logical_not(same)[:, None, :])
    nearest = ops.min(ops.where(semi_hard, distances[:, None, :], -MASKED), axis=-1)
    violations = ops.where(positive, ops.relu(margin + distances - nearest), 0.0)
    pairs = ops.sum(ops.cast(positive, violations.dtype), axis=-1)
    return ops.sum(violations, axis=-1) / ops.maximum(pairs, 1.0)
