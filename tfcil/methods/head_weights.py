"""Weights of a head that are computed instead of trained: first ones, and corrections.

NumPy alone. Kernels are (d, classes), old classes first; labels are ranks in the class order.
"""

import warnings

import numpy as np

from tfcil.errors import UserError

SHORTEST = 1e-12  # a vector shorter than this has no direction
BOUNDS = ((0.01, 100.0), (-100.0, 100.0))  # of alpha and beta: enough for any head that learned


def aligned_kernel(kernel, num_old, decay=1.0):
    """Computes the kernel with its new columns scaled to the mean norm of the old ones.

    Args:
        kernel: weights of a linear head, (d, classes), old classes first.
        num_old: number of old classes.
        decay: FOSTER's further factor on the new columns is decay^(old classes / new classes);
            1 is weight aligning as published.

    Returns:
        The aligned kernel, in the kernel's type, and gamma, the factor of the new columns.

    Raises:
        UserError: there is no old or no new class.

    Reference:
        Zhao et al., "Maintaining Discrimination and Fairness in Class Incremental Learning"
        (arXiv 1911.07053); with `decay`: Wang et al., FOSTER (arXiv 2204.04662), its code.
    """
    num_new = kernel.shape[1] - num_old
    if num_old < 1 or num_new < 1:
        raise UserError(
            f"num_old must leave old and new classes among the {kernel.shape[1]} columns of the "
            f"kernel. Received: num_old={num_old!r}"
        )
    norms = np.linalg.norm(kernel.astype("float64"), axis=0)
    gamma = norms[:num_old].mean() / max(norms[num_old:].mean(), SHORTEST)
    gamma = float(gamma * decay ** (num_old / num_new))
    scale = np.where(np.arange(kernel.shape[1]) < num_old, 1.0, gamma)
    return (kernel * scale).astype(kernel.dtype), gamma


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
        features: pooled features, (images, d); those of old classes are left out.
        labels: integer labels, (images,).
        num_old: number of old classes.
        num_new: number of new classes.
        proxies: columns per class.
        norm: length of the columns.
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


def corrected_logits(logits, num_old, alpha, beta):
    """Computes the logits with alpha * z + beta in the columns of the new classes.

    Args:
        logits: raw logits, (batch, classes), old classes first.
        num_old: number of old classes.
        alpha: factor.
        beta: shift.

    Returns:
        The corrected logits, (batch, classes).

    Reference:
        Wu et al., "Large Scale Incremental Learning" (BiC, arXiv 1905.13260).
    """
    logits = np.asarray(logits)
    return np.concatenate([logits[:, :num_old], alpha * logits[:, num_old:] + beta], axis=1)


def bias_loss(logits, labels, num_old, alpha, beta):
    """Computes what BiC's second stage minimises: mean cross-entropy of the corrected logits.

    Args:
        logits: raw logits of held-out images, as many of each class, (images, classes).
        labels: integer labels, (images,).
        num_old: number of old classes.
        alpha: factor of the new logits.
        beta: shift of the new logits.

    Returns:
        The loss, and its derivatives by alpha and beta as an array (2,).

    Reference:
        Wu et al., "Large Scale Incremental Learning" (BiC, arXiv 1905.13260).
    """
    logits = np.asarray(logits, "float64")
    corrected = corrected_logits(logits, num_old, alpha, beta)
    corrected -= corrected.max(axis=1, keepdims=True)
    log_probabilities = corrected - np.log(np.exp(corrected).sum(axis=1, keepdims=True))
    own = np.arange(len(labels)), np.asarray(labels)
    by_logit = np.exp(log_probabilities)
    by_logit[own] -= 1
    by_new = by_logit[:, num_old:] / len(labels)
    slopes = np.array([np.sum(by_new * logits[:, num_old:]), by_new.sum()])
    return -log_probabilities[own].mean(), slopes


def fit_bias(logits, labels, num_old):
    """Computes the alpha and beta that minimise `bias_loss`, a convex problem.

    They stay within 0.01 to 100 and -100 to 100, where labels of one side alone would drive them
    to infinity. Found by descent from 1 and 0, they are never worse than these.

    Args:
        logits: raw logits of held-out images, as many of each class, (images, classes).
        labels: integer labels, (images,).
        num_old: number of old classes.

    Returns:
        alpha and beta, floats; 1 and 0 without images.

    Reference:
        Wu et al., "Large Scale Incremental Learning" (BiC, arXiv 1905.13260), second stage.
    """
    from scipy.optimize import minimize  # here: most methods, and every prediction, do without

    if not len(labels):
        return 1.0, 0.0
    found = minimize(
        lambda parameters: bias_loss(logits, labels, num_old, *parameters),
        (1.0, 0.0),
        method="L-BFGS-B",
        jac=True,
        bounds=BOUNDS,
        options={"ftol": 1e-14, "gtol": 1e-9},  # scipy's own stop early on large logits
    )
    return tuple(found.x.tolist())


def folded_bias_correction(kernel, bias, num_old, alpha, beta):
    """Computes the linear head whose logits are the corrected ones.

    Args:
        kernel: weights of a linear head, (d, classes), old classes first.
        bias: its bias, (classes,).
        num_old: number of old classes.
        alpha: factor of the new logits.
        beta: shift of the new logits.

    Returns:
        The kernel and the bias, in their types: alpha * w and alpha * b + beta for new classes.
    """
    new = np.arange(len(bias)) >= num_old
    scale, shift = np.where(new, alpha, 1.0), np.where(new, beta, 0.0)
    return (kernel * scale).astype(kernel.dtype), (bias * scale + shift).astype(bias.dtype)


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
