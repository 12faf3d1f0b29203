"""Margin ranking and NCA: values by hand, the released quirks, sample weights."""

import numpy as np
import pytest
import tensorflow as tf
from gradients import gradient

from tfcil.errors import UserError
from tfcil.losses import FunctionLoss, margin_ranking, margin_violations, nca

SCORES = np.array(
    [
        [0.9, 0.1, 0.2, 0.6, 0.3],  # old: 0.5 - 0.9 + 0.6 = 0.2 and 0 of 0.3
        [0.0, 0.4, 0.8, 0.1, 0.3],  # old: 0.9 and 0.4
        [0.9, 0.9, 0.1, 0.2, 0.3],  # new
    ]
)
LABELS = np.array([0, 1, 2])
NUM_OLD = 2


def mean_ranking(scores, labels=LABELS, num_old=NUM_OLD):
    return tf.reduce_mean(margin_ranking(labels, scores, num_old))


def test_margin_ranking_by_hand():
    """The mean over the batch of 3 is that of the 2 comparisons of the 2 old samples."""
    found = margin_ranking(LABELS, SCORES, NUM_OLD)
    expected = np.array([0.2 + 0, 0.9 + 0.4, 0]) / 2 * 3 / 2
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(mean_ranking(SCORES), (0.2 + 0 + 0.9 + 0.4) / (2 * 2), rtol=1e-12)


def test_margin_violations_are_each_samples_own():
    found = margin_violations(LABELS, SCORES, NUM_OLD)
    np.testing.assert_allclose(found, [0.1, 0.65, 0], rtol=1e-12)
    np.testing.assert_array_equal(margin_violations(LABELS[1:], SCORES[1:], NUM_OLD), found[1:])


def test_margin_ranking_gradient_falls_on_own_and_violating_classes_only():
    expected = np.zeros((3, 5))
    expected[0, [0, 3]] = -1 / 4, 1 / 4
    expected[1, [1, 2, 4]] = -2 / 4, 1 / 4, 1 / 4
    found = gradient(mean_ranking, SCORES)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(("labels", "num_old"), [([2, 3, 4], 2), ([0, 1, 2], 0)])
def test_margin_ranking_without_old_samples_is_0_with_gradient_0(labels, num_old):
    def loss(scores):
        return margin_ranking(labels, scores, num_old)

    assert not np.any(loss(SCORES))
    assert not np.any(gradient(loss, SCORES))


def test_margin_ranking_compares_with_all_new_classes_where_there_are_fewer_than_k():
    """One new class, k = 2: the mean is over the one comparison there is."""
    found = margin_ranking([0], [[0.3, 0.1, 0.2]], num_old=2, k=2)
    np.testing.assert_allclose(found, [0.4], rtol=1e-6)


@pytest.mark.parametrize("num_old", [5, 6, -1])
def test_margin_ranking_needs_a_new_class(num_old):
    with pytest.raises(UserError, match=f"Received: num_old={num_old}"):
        margin_ranking(LABELS, SCORES, num_old)


@pytest.mark.parametrize("k", [0, 1.5, "2"])
def test_margin_ranking_needs_a_rival(k):
    with pytest.raises(UserError, match=f"Received: k={k!r}"):
        margin_ranking(LABELS, SCORES, NUM_OLD, k=k)


def test_margin_ranking_as_keras_loss():
    """The mean is over old samples, though Keras divides by the batch; weights act per sample."""
    loss, scores = FunctionLoss(margin_ranking, num_old=NUM_OLD), SCORES.astype("float32")
    np.testing.assert_allclose(loss(LABELS, scores), 1.5 / 4, rtol=1e-6)
    np.testing.assert_allclose(loss(LABELS[:, None], scores), 1.5 / 4, rtol=1e-6)
    weighted = loss(LABELS, scores, sample_weight=np.array([1.0, 0, 5]))
    np.testing.assert_allclose(weighted, 0.2 / 4, rtol=1e-6)


@pytest.fixture
def similarities():
    return np.random.default_rng(0).normal(size=(8, 5)) * 2


@pytest.fixture
def labels(similarities):
    """The first half of the samples have the highest similarity with their own class."""
    best = similarities.argmax(1)
    return np.r_[best[:4], (best[4:] + 1) % 5]


def log_sum_exp(z):
    return np.log(np.exp(z).sum(-1))


def test_released_nca_is_cross_entropy_where_the_target_is_highest(similarities, labels):
    own = np.take_along_axis(similarities, labels[:, None], 1)[:, 0]
    plain = log_sum_exp(similarities) - own
    found = np.array(nca(labels, similarities))
    assert found.shape == (8,)
    np.testing.assert_allclose(found[:4], plain[:4], rtol=1e-12)
    assert (found[4:] > plain[4:]).all()


def test_margin_and_scale_cancel_in_the_released_nca(similarities, labels):
    expected = nca(labels, similarities, margin=0.0)
    np.testing.assert_array_equal(nca(labels, similarities, margin=0.6, scale=3.0), expected)


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_paper_nca_leaves_the_target_out_and_scales_the_margin(similarities, labels, scale):
    others = [np.delete(row, label) for row, label in zip(similarities, labels, strict=True)]
    own = np.take_along_axis(similarities, labels[:, None], 1)[:, 0]
    raw = log_sum_exp(scale * np.array(others)) - scale * (own - 0.6)
    found = nca(labels, scale * similarities, margin=0.6, variant="paper", scale=scale)
    np.testing.assert_allclose(found, np.maximum(raw, 0), rtol=1e-9, atol=1e-12)
    assert (raw < 0).any()
    assert (raw > 0).any()


def test_learned_scale_of_the_paper_nca_gets_the_gradient_of_its_margin_too():
    """Two classes: d/ds of s * (0.2 - 0.5) + s * 0.6 is 0.3."""
    cosines = np.array([[0.5, 0.2]])
    found = gradient(
        lambda s: nca([0], s * cosines, margin=0.6, variant="paper", scale=s), np.float64(2)
    )
    np.testing.assert_allclose(found, 0.3, rtol=1e-12)


@pytest.mark.parametrize("variant", ["released", "paper"])
def test_nca_at_extreme_similarities_is_finite(variant):
    z = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4]], "float32")
    assert np.isfinite(nca([0, 0, 0], z, variant=variant)).all()
    assert np.isfinite(gradient(lambda x: nca([0, 0, 0], x, variant=variant), z)).all()


def test_unknown_variant_is_refused(similarities, labels):
    with pytest.raises(UserError, match="Received: variant='proxy'"):
        nca(labels, similarities, variant="proxy")


def test_class_weights_of_the_official_nca_are_sample_weights(oracle):
    stored = oracle("podnet_nca")
    labels = stored["weighted_labels"]
    loss = FunctionLoss(nca, margin=float(stored["weighted_margin"]), dtype="float64")
    found = loss(
        labels,
        stored["weighted_scale"] * stored["weighted_similarities"],
        sample_weight=stored["weighted_class_weights"][labels],
    )
    np.testing.assert_allclose(found, stored["weighted_loss"], rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    scores = tf.cast(SCORES, dtype)
    exact = tf.cast(scores, "float32")
    for loss in (
        lambda s: margin_ranking(LABELS, s, NUM_OLD),
        lambda s: nca(LABELS, s),
        lambda s: nca(LABELS, s, variant="paper"),
    ):
        assert loss(scores).dtype == tf.float32
        np.testing.assert_array_equal(loss(scores), loss(exact))
