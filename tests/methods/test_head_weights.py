"""Computed weights of heads: official numbers, properties, and the inputs that break averages."""

import numpy as np
import pytest
from scipy.cluster import vq

from tfcil.errors import UserError
from tfcil.methods.head_weights import (
    aligned_kernel,
    bias_loss,
    clustered_proxies,
    corrected_logits,
    fit_bias,
    folded_bias_correction,
    imprinted_columns,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def norms(kernel):
    return np.linalg.norm(kernel, axis=0)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("form", ["", "foster_"])
def test_official_weight_aligning(oracle, form):
    stored = oracle("wa")
    kernel = stored["weight"].T
    decay = float(stored["foster_value"]) if form else 1.0
    num_old = kernel.shape[1] - int(stored["n_new"])
    aligned, gamma = aligned_kernel(kernel, num_old, decay)
    np.testing.assert_allclose(aligned, stored[f"{form}aligned"].T, rtol=1e-12)
    np.testing.assert_allclose(gamma, stored[f"{form}gamma"], rtol=1e-12)


def test_aligned_columns_have_one_mean_norm_and_old_ones_stay():
    kernel = rng().normal(size=(6, 5)).astype("float32") * [1, 2, 3, 10, 20]
    kernel = kernel.astype("float32")
    aligned, _ = aligned_kernel(kernel, 3)
    assert aligned.dtype == np.float32
    np.testing.assert_array_equal(aligned[:, :3], kernel[:, :3])
    np.testing.assert_allclose(norms(aligned)[:3].mean(), norms(aligned)[3:].mean(), rtol=1e-6)


def test_aligning_new_columns_of_0_leaves_them():
    aligned, gamma = aligned_kernel(np.array([[1.0, 0], [1, 0]]), 1)
    np.testing.assert_array_equal(aligned[:, 1], 0)
    assert np.isfinite(gamma)


@pytest.mark.parametrize("num_old", [0, 3, 4])
def test_aligning_needs_old_and_new_classes(num_old):
    with pytest.raises(UserError, match=f"Received: num_old={num_old}"):
        aligned_kernel(np.ones((2, 3)), num_old)


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


def chained(stored, correct):
    """Applies a correction task by task, to the classes that were seen at each."""
    ends = np.cumsum(stored["task_sizes"])
    for start, end, alpha, beta in zip(
        ends - stored["task_sizes"], ends, stored["alpha"], stored["beta"], strict=True
    ):
        correct(start, end, alpha, beta)


def test_official_bias_correction_task_by_task(oracle):
    """Value and both slopes are those of plain cross-entropy, not of PyCIL's double softmax."""
    stored = oracle("bic")
    logits = stored["logits"].copy()

    def correct(start, end, alpha, beta):
        if end == logits.shape[1]:
            loss, slopes = bias_loss(logits, stored["labels"], start, alpha, beta)
            np.testing.assert_allclose(loss, stored["ce_loss"], rtol=1e-12)
            official = stored["ce_grad_alpha_last"], stored["ce_grad_beta_last"]
            np.testing.assert_allclose(slopes, official, rtol=1e-9, atol=1e-12)
        logits[:, :end] = corrected_logits(logits[:, :end], start, alpha, beta)

    chained(stored, correct)
    np.testing.assert_allclose(logits, stored["corrected"], rtol=1e-9, atol=1e-12)


def test_official_bias_correction_folded_into_the_head_task_by_task(oracle):
    """A head that is the identity: its features are the logits, their gradients its own."""
    stored = oracle("bic")
    size = stored["logits"].shape[1]
    kernel, bias = np.eye(size), np.zeros(size)

    def correct(start, end, alpha, beta):
        folded = folded_bias_correction(kernel[:, :end], bias[:end], start, alpha, beta)
        kernel[:, :end], bias[:end] = folded

    chained(stored, correct)
    corrected = stored["logits"] @ kernel + bias
    np.testing.assert_allclose(corrected, stored["corrected"], rtol=1e-9, atol=1e-12)
    by_corrected = (softmax(corrected) - np.eye(size)[stored["labels"]]) / len(corrected)
    np.testing.assert_allclose(
        by_corrected @ kernel.T, stored["ce_grad_logits"], rtol=1e-9, atol=1e-12
    )


def test_folded_head_predicts_corrected_logits_in_its_own_type():
    features, kernel, bias = (rng(n).normal(size=s) for n, s in enumerate([(9, 4), (4, 5), 5]))
    expected = corrected_logits(features @ kernel + bias, 3, 0.5, -2.0)
    folded = folded_bias_correction(kernel, bias, 3, 0.5, -2.0)
    np.testing.assert_allclose(features @ folded[0] + folded[1], expected, rtol=1e-12)
    single = folded_bias_correction(kernel.astype("float32"), bias.astype("float32"), 3, 0.5, 1.0)
    assert [array.dtype for array in single] == [np.float32, np.float32]


@pytest.fixture
def biased():
    """Calibrated logits of 4 classes, spoilt in the last 2 columns by z / 2 + 3."""
    logits = rng().normal(size=(4000, 4)) * 2
    cumulated = softmax(logits).cumsum(axis=1)
    labels = (rng(1).uniform(size=(4000, 1)) > cumulated).sum(axis=1).clip(max=3)
    logits[:, 2:] = logits[:, 2:] / 2 + 3
    return logits, labels


def test_fit_bias_undoes_a_known_bias(biased):
    """z / 2 + 3 is undone by 2 z - 6, up to the noise of 4000 labels."""
    np.testing.assert_allclose(fit_bias(*biased, num_old=2), [2, -6], rtol=0.1)


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_fit_bias_ends_where_both_slopes_vanish(biased, scale):
    logits, labels = biased
    alpha, beta = fit_bias(scale * logits, labels, num_old=2)
    loss, slopes = bias_loss(scale * logits, labels, 2, alpha, beta)
    assert loss < bias_loss(scale * logits, labels, 2, 1.0, 0.0)[0]
    free = [0.01 < alpha < 100, -100 < beta < 100]
    assert any(free)
    np.testing.assert_allclose(slopes[free], 0, atol=1e-7)


def test_slopes_of_the_bias_loss_are_its_differences(biased):
    logits, labels = biased
    step = 1e-6

    def loss(alpha, beta):
        return bias_loss(logits, labels, 2, alpha, beta)[0]

    expected = [
        (loss(1.3 + step, -0.4) - loss(1.3 - step, -0.4)) / (2 * step),
        (loss(1.3, -0.4 + step) - loss(1.3, -0.4 - step)) / (2 * step),
    ]
    np.testing.assert_allclose(bias_loss(logits, labels, 2, 1.3, -0.4)[1], expected, rtol=1e-6)


@pytest.mark.parametrize("only", [[0, 1], [2, 3], [0], [3]])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_fit_bias_of_one_sided_labels_stays_bounded(biased, only, scale):
    """Without the other side, infinity would be best."""
    logits, labels = biased
    kept = np.isin(labels, only)
    logits, labels = scale * logits[kept], labels[kept]
    alpha, beta = fit_bias(logits, labels, num_old=2)
    assert 0.01 <= alpha <= 100
    assert -100 <= beta <= 100
    assert bias_loss(logits, labels, 2, alpha, beta)[0] <= bias_loss(logits, labels, 2, 1, 0)[0]


@pytest.mark.parametrize("num_old", [4, 2])
def test_fit_bias_without_new_classes_or_images_changes_nothing(biased, num_old):
    logits, labels = biased
    images = len(labels) if num_old == 4 else 0
    assert fit_bias(logits[:images], labels[:images], num_old) == (1.0, 0.0)


def test_fit_bias_of_float32_logits_is_that_of_their_float64_values(biased):
    logits, labels = biased[0].astype("float32"), biased[1]
    assert fit_bias(logits, labels, 2) == fit_bias(logits.astype("float64"), labels, 2)
