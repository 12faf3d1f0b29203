"""Closed-form heads: by hand, against the plain formulas on all features, and their properties."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tfcil.methods.shared import statistics
from tfcil.methods.shared.closed_form import Projected, ranks_in_class
from tfcil.methods.shared.statistics import ClassStatistics


@pytest.fixture
def sample():
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(4), (30, 5, 12, 60)))
    centres = generator.normal(size=(4, 6)) * 2
    return centres[labels] + generator.normal(size=(len(labels), 6)), labels


def of(features, labels, num_classes=4, balanced=False):
    counts = np.bincount(labels, minlength=num_classes)
    weights = 1 / np.maximum(counts, 1) if balanced else np.ones(num_classes)
    return ClassStatistics.of(features, labels, weights)


def test_sums_by_hand():
    """Features (1, 2) and (3, 0) of class 1, (0, 1) of class 0."""
    found = of(np.array([[1, 2], [0, 1], [3, 0]]), np.array([1, 0, 1]), 3)
    assert found.counts.tolist() == [1, 2, 0]
    assert found.sums.tolist() == [[0, 1], [4, 2], [0, 0]]
    assert found.moment.tolist() == [[10, 2], [2, 5]]
    assert found.means.tolist() == [[0, 1], [2, 1], [0, 0]]


def test_tasks_add_up_in_any_order(sample):
    features, labels = sample
    whole = of(features, labels)
    first, second = labels < 2, labels >= 2
    parts = [of(features[one], labels[one]) for one in (first, second)]
    for a, b in (parts, parts[::-1]):
        found = a.plus(b)
        for name, array in vars(whole).items():
            assert_allclose(getattr(found, name), array, rtol=1e-12, atol=1e-12)


def test_a_task_before_knows_fewer_classes():
    old = of(np.ones((2, 3)), np.array([0, 1]), 2)
    both = old.plus(of(np.ones((1, 3)), np.array([2]), 3))
    assert both.counts.tolist() == [1, 1, 1]
    assert both.moment.tolist() == [[3] * 3] * 3


def test_what_is_kept_gives_the_same_statistics_again(sample):
    before = of(*sample, balanced=True)
    arrays = before.arrays("kept_")
    assert arrays["kept_moment"].shape == (21,)  # one half of 6 x 6
    after = ClassStatistics.of_arrays(arrays, "kept_")
    for name, array in vars(before).items():
        assert np.array_equal(getattr(after, name), array)


def test_nearest_mean_by_angle_and_by_distance():
    """Means (2, 0) and (0, 1): (1, 1.2) is nearer to the second by both, (1.2, 1) is not."""
    found = of(np.array([[2, 0], [0, 1]]), np.array([0, 1]), 2)
    for cosine in (True, False):
        kernel, bias = statistics.nearest_mean_head(found, cosine)
        logits = np.array([[1, 1.2], [1.9, 0.5]]) @ kernel + bias
        assert logits.argmax(axis=1).tolist() == [1, 0]
    kernel, bias = statistics.nearest_mean_head(found, cosine=False)
    points = np.random.default_rng(1).normal(size=(50, 2))
    distances = ((points[:, None] - found.means) ** 2).sum(axis=2)
    assert np.array_equal((points @ kernel + bias).argmax(axis=1), distances.argmin(axis=1))


def test_the_covariance_is_the_pooled_one(sample):
    features, labels = sample
    found = statistics.covariance(of(features, labels), 0.0)
    within = features - of(features, labels).means[labels]
    assert_allclose(found, within.T @ within / (len(labels) - 4), rtol=1e-10, atol=1e-12)
    half = statistics.covariance(of(features, labels), 0.5)
    assert np.trace(half) == pytest.approx(np.trace(found))
    assert_allclose(half - np.diag(np.diag(half)), 0.5 * (found - np.diag(np.diag(found))))


@pytest.mark.parametrize("shrinkage", [0.0, 0.8])
def test_without_any_spread_within_classes_the_covariance_is_the_identity(sample, shrinkage):
    """As with one image of each class: discriminants are then those of the nearest mean."""
    features, _ = sample
    one_each = of(100 + features[:4], np.arange(4))
    shared = statistics.covariance(one_each, shrinkage)
    assert_allclose(shared, np.eye(features.shape[1]))
    for found, expected in zip(
        statistics.discriminant_head(one_each, shared),
        statistics.nearest_mean_head(one_each, cosine=False),
        strict=True,
    ):
        assert_allclose(found, expected)


def test_discriminants_are_differences_of_gaussian_log_likelihoods(sample):
    features, labels = sample
    found = of(features, labels)
    shared = statistics.covariance(found, 0.1)
    kernel, bias = statistics.discriminant_head(found, shared)
    difference = features[:, None] - found.means
    likelihood = -0.5 * np.einsum("ncd,de,nce->nc", difference, np.linalg.inv(shared), difference)
    logits = features @ kernel + bias
    assert_allclose(logits - logits[:, :1], likelihood - likelihood[:, :1], rtol=1e-8, atol=1e-8)


def test_the_likelihood_of_held_out_images_is_that_of_the_formula(sample):
    features, labels = sample
    kept, held = of(features[:80], labels[:80]), of(features[80:], labels[80:])
    shared = statistics.covariance(kept, 0.2)
    difference = features[80:] - kept.means[labels[80:]]
    distances = np.sum(difference @ np.linalg.inv(shared) * difference, axis=1)
    expected = 0.5 * (distances.mean() + np.log(np.linalg.det(shared)))
    assert statistics.gaussian_loss(shared, kept.means, held) == pytest.approx(expected)


@pytest.mark.parametrize("balanced", [False, True])
def test_ridge_minimises_the_penalised_squared_error(sample, balanced):
    """The gradient of the objective, with the unpenalised bias, vanishes."""
    features, labels = sample
    found = of(features, labels, balanced=balanced)
    kernel, bias = statistics.ridge_head(found, 0.3)
    weights = found.weights[labels][:, None]
    residual = weights * (features @ kernel + bias - np.eye(4)[labels])
    centred = features - (weights * features).sum(axis=0) / weights.sum()
    penalty = 0.3 * np.mean(np.sum(weights * centred**2, axis=0))
    assert_allclose(features.T @ residual + penalty * kernel, 0, atol=1e-9)
    assert_allclose(residual.sum(axis=0), 0, atol=1e-9)


def test_balanced_ridge_is_plain_ridge_of_equally_many_images():
    """Every image of class 1 comes twice: balanced, this changes nothing."""
    generator = np.random.default_rng(3)
    features, labels = generator.normal(size=(20, 3)), np.arange(20) % 2
    twice = np.concatenate([np.arange(20), np.flatnonzero(labels)])
    once = statistics.ridge_head(of(features, labels, 2, balanced=True), 0.1)
    more = statistics.ridge_head(of(features[twice], labels[twice], 2, balanced=True), 0.1)
    for one, other in zip(once, more, strict=True):
        assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_stronger_penalty_gives_a_smaller_kernel(sample):
    found = of(*sample)
    sizes = [np.linalg.norm(statistics.ridge_head(found, one)[0]) for one in (0.01, 0.1, 1, 10)]
    assert sizes == sorted(sizes, reverse=True)


def test_the_squared_error_is_that_of_the_logits(sample):
    features, labels = sample
    head = statistics.ridge_head(of(features[:80], labels[:80]), 0.1)
    logits = features[80:] @ head[0] + head[1]
    expected = np.mean(np.sum((logits - np.eye(4)[labels[80:]]) ** 2, axis=1))
    assert statistics.squared_error(head, of(features[80:], labels[80:])) == pytest.approx(expected)


def test_images_are_numbered_within_their_class():
    assert ranks_in_class(np.array([1, 0, 1, 1, 0])).tolist() == [0, 0, 1, 2, 1]


def test_projected_features_are_computed_block_by_block(sample):
    features, labels = sample
    projection = np.random.default_rng(5).normal(size=(6, 9))
    whole = np.maximum(features @ projection, 0)
    rows = np.flatnonzero(labels > 0)
    found = of(Projected(features, projection)[rows], labels[rows])
    assert_allclose(found.moment, whole[rows].T @ whole[rows], rtol=1e-10)
