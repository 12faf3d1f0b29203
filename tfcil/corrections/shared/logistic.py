"""Multinomial logistic regression with an L1 or an L2 penalty, fitted by L-BFGS.

L-BFGS-B of scipy finds the minima of scikit-learn's `lbfgs` in the same time, and those of its
`saga` in less.
"""

import numpy as np

TOLERANCES = {"gtol": 1e-6, "ftol": 1e-12, "maxiter": 10_000, "maxfun": 20_000}


def fit_logistic(features, labels, num_classes, penalty, strength):
    """Computes the linear classifier with the smallest penalised cross-entropy, a convex problem.

    It minimises `sum of -log softmax(x w + c)_y + strength * penalty`, where the penalty is
    `sum |w|` (l1) or `sum w^2 / 2` (l2); c is not penalised. `strength` is 1 / C of scikit-learn.

    Args:
        features: (n, d), of one scale.
        labels: (n,) integers.
        num_classes: number of classes; each has a label.
        penalty: `"l1"` or `"l2"`.
        strength: factor of the penalty, above 0.

    Returns:
        w, (d, num_classes) float64, and c, (num_classes,) float64, with a mean of 0.
    """
    from scipy.optimize import minimize  # here: most methods, and every prediction, do without

    features = np.asarray(features, "float64")
    if penalty == "l2" and features.shape[1] > len(features):
        # The weights are sums of features: in coordinates of their span, they are fewer.
        span, coordinates = np.linalg.qr(features.T)
        kernel, bias = fit_logistic(
            coordinates.T, labels, num_classes, penalty=penalty, strength=strength
        )
        return span @ kernel, bias
    size = features.shape[1] * num_classes
    scaled = strength / len(labels)

    def smooth(flat):
        kernel, bias = flat[:size].reshape(-1, num_classes), flat[size:]
        loss, by_logits = cross_entropy(features @ kernel + bias, labels)
        return loss, (features.T @ by_logits).ravel(), by_logits.sum(axis=0)

    def l2(flat):
        loss, by_kernel, by_bias = smooth(flat)
        kernel = flat[:size]
        loss += scaled * (kernel @ kernel) / 2
        return loss, np.concatenate([by_kernel + scaled * kernel, by_bias])

    def l1(flat):
        # |w| has no slope at 0. With w = p - q, and p and q of 0 or more, it is p + q.
        positive, negative, bias = np.split(flat, [size, 2 * size])
        loss, by_kernel, by_bias = smooth(np.concatenate([positive - negative, bias]))
        loss += scaled * (positive.sum() + negative.sum())
        return loss, np.concatenate([scaled + by_kernel, scaled - by_kernel, by_bias])

    parts = 2 if penalty == "l1" else 1
    found = minimize(
        l1 if penalty == "l1" else l2,
        np.zeros(parts * size + num_classes),
        method="L-BFGS-B",
        jac=True,
        bounds=[(0, None)] * (2 * size) + [(None, None)] * num_classes if parts == 2 else None,
        options=TOLERANCES,
    ).x
    kernel = found[:size] - found[size : 2 * size] if parts == 2 else found[:size]
    bias = found[parts * size :]
    return kernel.reshape(-1, num_classes), bias - bias.mean()


def cross_entropy(logits, labels):
    """Computes the mean cross-entropy and its derivatives by the logits.

    Args:
        logits: (n, classes).
        labels: (n,) integers.

    Returns:
        The mean, and an array (n, classes).
    """
    own = np.arange(len(labels)), labels
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    by_logits = exponentials / sums
    by_logits[own] -= 1
    return (np.log(sums[:, 0]) - shifted[own]).mean(), by_logits / len(labels)
