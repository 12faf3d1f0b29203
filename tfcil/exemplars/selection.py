"""Which images of a class are worth keeping, best first."""

import numpy as np

from tfcil.errors import UserError

_HERDING_ROUNDS = 1000


def normalize_rows(features):
    """Divides the rows of a matrix by their Euclidean norm, in float64; zeros stay zeros.

    Raises:
        ValueError: `features` is not a matrix.
        UserError: a value is not finite, as after a training that diverged.
    """
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2:
        raise ValueError(f"features must be a matrix (n, d). Received: shape={features.shape}")
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise UserError(
            "features must be finite (has the training diverged?). "
            f"Received: {np.count_nonzero(~finite)} of {len(features)} rows with NaN or infinity"
        )
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(norms > 0, norms, 1.0)


def herding(features, count):
    """Computes which samples of one class keep its mean feature best, in the order picked.

    With normalised features `d_i` and their mean `mu`: start from `w = mu`, pick the sample with
    the highest `w . d_i` (the first of equals), then `w <- w + mu - d_i`. As in the official loop,
    `w` moves on even if the winner was picked before. The official loop stops after 1000 rounds,
    possibly with fewer samples than asked for; after them, only samples not picked yet can win.

    The first `k` picks do not depend on `count`, so exemplars can be truncated later.

    Args:
        features: float array `(n, d)`, features of the samples of one class.
        count: int, how many to pick.

    Returns:
        int64 array `(min(count, n),)`: distinct row numbers, best first.

    Raises:
        ValueError: `count` is negative or `features` is not a matrix.
        UserError: a feature is not finite.

    Example:
        >>> herding([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], 2).tolist()
        [1, 0]

    Reference:
        Rebuffi et al., iCaRL (arXiv 1611.07725), algorithm 4, as LUCIR (CVPR 2019) runs it.
    """
    directions = normalize_rows(features)
    count = _at_most(count, len(directions))
    mean = target = directions.sum(axis=0) / max(len(directions), 1)
    picked = np.zeros(len(directions), dtype=bool)
    order, rounds = [], 0
    while len(order) < count:
        # Unlike a BLAS product, einsum gives equal rows equal scores, so that ties are ties.
        scores = np.einsum("nd,d->n", directions, target)
        if rounds >= _HERDING_ROUNDS:
            scores[picked] = -np.inf
        winner = int(np.argmax(scores))
        if not picked[winner]:
            picked[winner] = True
            order.append(winner)
        target = target + mean - directions[winner]
        rounds += 1
    return np.asarray(order, dtype=np.int64)


def random_selection(features, count, generator):
    """Draws samples of one class uniformly and without replacement.

    Args:
        features: array `(n, ...)`; only its length is read.
        count: int, how many to pick.
        generator: `numpy.random.Generator`.

    Returns:
        int64 array `(min(count, n),)`: distinct row numbers in the order drawn.

    Raises:
        ValueError: `count` is negative or there is no generator.
    """
    if not isinstance(generator, np.random.Generator):
        raise ValueError(
            f"random selection needs a numpy.random.Generator. Received: generator={generator!r}"
        )
    return generator.permutation(len(features))[: _at_most(count, len(features))]


def _at_most(count, available):
    if count < 0:
        raise ValueError(f"count must not be negative. Received: count={count}")
    return min(count, available)


SELECTIONS = {
    "herding": lambda features, count, generator: herding(features, count),
    "random": random_selection,
}
"""The ways to choose exemplars: `(features, count, generator) -> row numbers, best first`."""
