"""Logistic regression: numbers of scikit-learn, and what makes a minimum one.

`oracles/logistic.npz` is of scikit-learn 1.9.1: `LogisticRegression(C=C, tol=1e-10,
max_iter=200000)` on `StandardScaler().fit_transform(features)`, with solver `saga` and `l1_ratio=1`
(l1), or `lbfgs` and `l1_ratio=0` (l2).
"""

import numpy as np
import pytest

from tfcil.corrections.shared.logistic import cross_entropy, fit_logistic


@pytest.fixture
def stored(oracle):
    found = oracle("logistic")
    x = found["features"]
    return found | {"standard": (x - x.mean(axis=0)) / x.std(axis=0)}


@pytest.mark.parametrize("penalty", ["l1", "l2"])
@pytest.mark.parametrize("c", [1.0, 0.1])
def test_it_is_the_regression_of_scikit_learn(stored, penalty, c):
    """saga stops at its tolerance, L-BFGS at ours."""
    x, labels = stored["standard"], stored["labels"]
    kernel, bias = fit_logistic(x, labels, 5, penalty=penalty, strength=1 / c)
    np.testing.assert_allclose(kernel, stored[f"{penalty}_{c:g}_kernel"], atol=2e-4)
    logits = stored[f"{penalty}_{c:g}_logits"]
    # The same number on all logits of an image is the same regression.
    logits = logits - logits.mean(axis=1, keepdims=True)
    ours = x @ kernel + bias
    np.testing.assert_allclose(ours - ours.mean(axis=1, keepdims=True), logits, atol=5e-4)


def test_cross_entropy_and_its_slopes_by_hand():
    """Logits log 1, log 3 give probabilities of 1/4 and 3/4."""
    loss, slopes = cross_entropy(np.log([[1.0, 3.0], [1.0, 1.0]]), np.array([0, 1]))
    assert loss == pytest.approx((np.log(4) + np.log(2)) / 2)
    np.testing.assert_allclose(slopes, [[-0.375, 0.375], [0.25, -0.25]])


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_weaker_penalty_lowers_the_loss(stored, penalty):
    x, labels = stored["standard"], stored["labels"]
    losses = [
        cross_entropy(np.add(x @ kernel, bias), labels)[0]
        for kernel, bias in (fit_logistic(x, labels, 5, penalty, s) for s in (30.0, 3.0, 0.3))
    ]
    assert losses[0] > losses[1] + 0.05 > losses[2] + 0.1


def test_a_strong_l1_penalty_leaves_the_bias_alone():
    """Which then gives the frequencies of the classes."""
    x, labels = np.random.default_rng(0).normal(size=(40, 3)), np.repeat([0, 1], [10, 30])
    kernel, bias = fit_logistic(x, labels, 2, "l1", strength=100.0)
    np.testing.assert_array_equal(kernel, 0)
    np.testing.assert_allclose(bias[1] - bias[0], np.log(3), atol=1e-4)


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_large_logits_stay_finite(penalty):
    """Classes far apart, almost without a penalty."""
    x, labels = np.array([[-1e4], [1e4], [-2e4], [2e4]]), np.array([0, 1, 0, 1])
    kernel, bias = fit_logistic(x, labels, 2, penalty, strength=1e-9)
    assert np.isfinite(kernel).all()
    assert (np.argmax(x @ kernel + bias, axis=1) == labels).all()


def test_of_more_features_than_images_it_finds_the_minimum_too():
    """The slopes of the whole objective vanish, also across the span of the images."""
    generator = np.random.default_rng(2)
    x, labels = generator.normal(size=(12, 40)), np.arange(12) % 3
    kernel, bias = fit_logistic(x, labels, 3, "l2", strength=0.5)
    _, by_logits = cross_entropy(x @ kernel + bias, labels)
    np.testing.assert_allclose(x.T @ by_logits + 0.5 / 12 * kernel, 0, atol=1e-5)
    np.testing.assert_allclose(by_logits.sum(axis=0), 0, atol=1e-5)
