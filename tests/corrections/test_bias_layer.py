"""bias_layer: official numbers, the fit of alpha and beta, and labels of one side alone."""

import numpy as np
import pytest
from formulas import softmax

from tfcil.corrections.bias_layer import (
    bias_loss,
    corrected_logits,
    fit_bias,
    folded_bias_correction,
)


def rng(seed=0):
    return np.random.default_rng(seed)


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
