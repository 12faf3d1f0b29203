"""The first columns of new classes: official numbers, properties, and degenerate features."""

import numpy as np
import pytest
from scipy.cluster import vq

from tfcil.errors import UserError
from tfcil.methods.shared.first_columns import clustered_proxies, imprinted_columns


def rng(seed=0):
    return np.random.default_rng(seed)


def norms(kernel):
    return np.linalg.norm(kernel, axis=0)


def test_official_imprinting(oracle):
    stored = oracle("lucir_imprint")
    new, images, d = stored["features"].shape
    num_old = len(stored["weight_old"])
    norm = norms(stored["weight_old"].T).mean()
    np.testing.assert_allclose(norm, stored["mean_old_norm"], rtol=1e-12)
    features = np.concatenate([rng().normal(size=(5, d)), stored["features"].reshape(-1, d)])
    labels = np.concatenate([np.arange(5) % num_old, np.repeat(num_old + np.arange(new), images)])
    order = rng().permutation(len(labels))  # exemplars of old classes are anywhere in between
    found = imprinted_columns(features[order], labels[order], num_old, new, norm)
    np.testing.assert_allclose(found, stored["weight_new"].T, rtol=1e-9, atol=1e-12)


def test_proxies_find_the_clusters_of_each_class():
    """Two classes of three tight clusters, one of them with most images."""
    directions = np.linalg.qr(rng().normal(size=(8, 8)))[0][:6]
    labels = np.repeat([4, 4, 4, 5, 5, 5], [60, 20, 10, 5, 50, 30])
    cluster = np.repeat(np.arange(6), [60, 20, 10, 5, 50, 30])
    lengths = rng(1).uniform(0.1, 10, size=(len(labels), 1))
    features = lengths * (directions[cluster] + 0.01 * rng(2).normal(size=(len(labels), 8)))
    found = clustered_proxies(features, labels, 4, 2, proxies=3, norm=2.0, seed=1)
    assert found.shape == (8, 6)
    np.testing.assert_allclose(norms(found), 2)
    cosines = directions @ found / 2
    for rows, columns in ((slice(0, 3), slice(0, 3)), (slice(3, 6), slice(3, 6))):
        assert (cosines[rows, columns].max(axis=0) > 0.999).all()
        assert (cosines[rows, columns].max(axis=1) > 0.999).all()


def test_one_proxy_is_imprinting():
    features, labels = rng().normal(size=(30, 4)) + 1, np.arange(30) % 3
    imprinted = imprinted_columns(features, labels, 1, 2, norm=1.5)
    found = clustered_proxies(features, labels, 1, 2, proxies=1, norm=1.5, seed=0)
    np.testing.assert_allclose(found, imprinted, rtol=1e-9)


def test_proxies_are_the_same_for_the_same_seed():
    features, labels = rng().normal(size=(90, 5)), np.arange(90) % 3

    def proxies(seed):
        return clustered_proxies(features, labels, 0, 3, proxies=4, norm=1.0, seed=seed)

    np.testing.assert_array_equal(proxies(7), proxies(7))
    assert not np.array_equal(proxies(7), proxies(8))


@pytest.mark.parametrize(
    "features",
    [
        [[3.0, 4]],  # one image
        [[3.0, 4], [1, 0]],  # fewer than proxies
        [[3.0, 4]] * 50,  # many, all the same
        [[3.0, 4], [6, 8], [1, 0]] * 20,  # fewer directions than proxies
        [[0.0, 0]] * 50,  # features all 0 after a ReLU
        [[0.0, 0], [1, 0]] * 20,
        [[1.0, 0], [-1, 0]] * 20,  # the mean of opposites has no direction
    ],
)
@pytest.mark.parametrize("proxies", [1, 3, 10])
def test_columns_are_finite_and_of_their_length_for_degenerate_classes(features, proxies):
    features = np.array(features)
    labels = np.zeros(len(features), int)
    columns = clustered_proxies(features, labels, 0, 1, proxies, norm=2.0, seed=0)
    assert columns.shape == (2, proxies)
    for found in (columns, imprinted_columns(features, labels, 0, 1, norm=2.0)):
        np.testing.assert_allclose(norms(found), 2, rtol=1e-12)


def test_fewer_images_than_proxies_are_each_a_proxy():
    features = np.array([[2.0, 0], [0, 5]])
    found = clustered_proxies(features, np.zeros(2, int), 0, 1, proxies=4, norm=1.0, seed=0)
    assert {tuple(column) for column in found.T} == {(1.0, 0.0), (0.0, 1.0)}


def test_empty_cluster_passes_without_a_warning(monkeypatch):
    """k-means++ rarely starts where a cluster loses all its points: here it does."""
    original = vq.kmeans2

    def unlucky(points, count, iter, minit, rng):
        centres = np.concatenate([points[: count - 1], [[50.0, 50]]])
        return original(points, centres, iter, minit="matrix")

    monkeypatch.setattr(vq, "kmeans2", unlucky)
    features = rng().normal(size=(12, 2)) - 5
    found = clustered_proxies(features, np.zeros(12, int), 0, 1, proxies=3, norm=1.0, seed=0)
    np.testing.assert_allclose(norms(found), 1)
    with pytest.warns(UserWarning, match="clusters is empty"):
        unlucky(features, 3, 50, "++", None)


@pytest.mark.parametrize(
    "columns",
    [
        lambda *data: imprinted_columns(*data, norm=1.0),
        lambda *data: clustered_proxies(*data, proxies=2, norm=1.0, seed=0),
    ],
)
def test_new_class_without_images_is_refused(columns):
    with pytest.raises(UserError, match=r"3 to 5, needs an image.*Received: labels=\[0, 3, 5\]"):
        columns(np.ones((3, 2)), np.array([0, 3, 5]), 3, 3)
