"""Balanced softmax: its identities, its zero counts, its numerics, its life as a Keras loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from formulas import cross_entropy
from gradients import gradient
from keras import ops

from tfcil.errors import UserError
from tfcil.losses import (
    BalancedSoftmaxCrossentropy,
    adjust_logits,
    balanced_softmax_crossentropy,
)

COUNTS = [20, 20, 500, 500]


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(6, 4)) * 3


@pytest.fixture
def labels():
    return np.array([0, 1, 2, 3, 0, 2])


def test_loss_per_sample_is_the_official_one(oracle):
    stored = oracle("balanced_softmax")
    for name in ("imb", "eq", "lt", "one", "big"):
        found = balanced_softmax_crossentropy(
            stored[f"{name}_labels"], stored[f"{name}_logits"], stored[f"{name}_counts"]
        )
        np.testing.assert_allclose(found, stored[f"{name}_loss_per_sample"], rtol=1e-9, atol=1e-12)


def test_hand_computed_value():
    """q_0 = 1 * 3 / (1 * 3 + 3 * 1) = 1/2 for odds 3 : 1 against counts 1 : 3."""
    loss = balanced_softmax_crossentropy([0], np.log([[3.0, 1.0]]), [1, 3])
    np.testing.assert_allclose(loss, [np.log(2)], rtol=1e-12)


@pytest.mark.parametrize(("counts", "tau"), [([500] * 4, 1.0), (COUNTS, 0.0), ([500] * 4, 0.5)])
def test_equal_counts_or_tau_0_are_plain_cross_entropy(logits, labels, counts, tau):
    found = balanced_softmax_crossentropy(labels, logits, counts, tau=tau)
    np.testing.assert_allclose(found, cross_entropy(labels, logits), rtol=1e-12)


def test_only_the_ratios_of_the_counts_matter(logits, labels):
    """Counts, shares, or any other multiple: also those that float32 cannot hold."""
    losses = [
        balanced_softmax_crossentropy(labels, logits.astype("float32"), np.array(COUNTS) * scale)
        for scale in (1, 1000, 1e-60, 1e60, 1 / 1040)
    ]
    np.testing.assert_allclose(losses, [losses[0]] * 5, rtol=1e-6)


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_two_levels_of_counts_are_one_shift_of_the_old_logits(logits, labels, tau):
    shifted = logits + tau * np.log(20 / 500) * np.array([1, 1, 0, 0])
    found = balanced_softmax_crossentropy(labels, logits, COUNTS, tau=tau)
    np.testing.assert_allclose(found, cross_entropy(labels, shifted), rtol=1e-12)


def test_gradient_is_the_shifted_softmax_minus_the_target(logits, labels):
    weighted = np.exp(logits) * COUNTS
    expected = weighted / weighted.sum(1, keepdims=True) - np.eye(4)[labels]
    found = gradient(lambda z: balanced_softmax_crossentropy(labels, z, COUNTS), logits)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("counts", [COUNTS, tuple(COUNTS), np.array(COUNTS, "uint16"), "tensor"])
def test_counts_may_be_any_sequence_of_numbers(logits, labels, counts):
    expected = balanced_softmax_crossentropy(labels, logits, np.array(COUNTS, "float64"))
    counts = tf.constant(COUNTS) if isinstance(counts, str) else counts
    np.testing.assert_array_equal(balanced_softmax_crossentropy(labels, logits, counts), expected)


def test_counts_in_a_tensor_get_a_gradient(logits, labels):
    """Learned weights of the classes: scaling all of them together changes nothing."""
    counts = np.array(COUNTS, "float64")
    found = gradient(lambda n: balanced_softmax_crossentropy(labels, logits, n), counts)
    assert np.abs(found).max() > 0
    assert abs(found @ counts) < 1e-12


@pytest.mark.parametrize("shape", [(6,), (6, 1)])
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32"])
def test_labels_of_every_shape_and_type_keras_hands_over(logits, labels, shape, dtype):
    found = balanced_softmax_crossentropy(labels.reshape(shape).astype(dtype), logits, COUNTS)
    assert found.shape == (6,)
    np.testing.assert_array_equal(found, balanced_softmax_crossentropy(labels, logits, COUNTS))


@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_class_of_count_zero_leaves_the_softmax_with_a_gradient_of_exactly_0(logits, tau):
    labels, kept = np.array([0, 1, 3, 3, 0, 1]), [0, 1, 3]
    logits[:, 2] = 1e4

    def loss(z):
        return balanced_softmax_crossentropy(labels, z, [20, 20, 0, 500], tau=tau)

    without = balanced_softmax_crossentropy(
        np.searchsorted(kept, labels), logits[:, kept], [20, 20, 500], tau=tau
    )
    np.testing.assert_allclose(loss(logits), without, rtol=1e-12)
    assert (gradient(loss, logits)[:, 2] == 0).all()
    assert np.isfinite(gradient(loss, logits)).all()


def test_sample_of_a_masked_class_has_loss_and_gradient_exactly_0(logits, labels):
    def loss(z):
        return balanced_softmax_crossentropy(labels, z, [0, 20, 500, 500])

    own_masked = labels == 0
    np.testing.assert_array_equal(np.array(loss(logits)) == 0, own_masked)
    np.testing.assert_array_equal((gradient(loss, logits) == 0).all(axis=1), own_masked)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_extreme_logits_and_counts_stay_finite_and_right(dtype):
    logits = tf.cast([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4]], dtype)
    counts = [1, 10**6, 10**3]

    def loss(z):
        return balanced_softmax_crossentropy([1, 1, 0], z, counts)

    a, b = np.array(tf.cast(logits, "float64"))[0, :2]
    total = np.log(sum(counts))
    expected = [a - b - np.log(1e6), total - np.log(1e6), total]
    np.testing.assert_allclose(loss(logits), expected, rtol=1e-5)
    assert np.isfinite(gradient(loss, logits).astype("float32")).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_computed_in_float32(logits, labels, dtype):
    half = tf.cast(logits, dtype)
    found = balanced_softmax_crossentropy(labels, half, COUNTS)
    assert found.dtype == tf.float32
    exact = balanced_softmax_crossentropy(labels, tf.cast(half, "float32"), COUNTS)
    np.testing.assert_array_equal(found, exact)


def test_labels_above_256_survive_a_bfloat16_loss():
    """bfloat16 would turn label 257 into 256; the loss must not follow such a dtype."""
    logits = np.zeros((1, 300), "float32")
    logits[0, 257] = 5
    loss = BalancedSoftmaxCrossentropy([1] * 300, dtype="bfloat16")
    assert loss.dtype == "float32"
    np.testing.assert_allclose(loss([257], logits), np.log(299 + np.exp(5)) - 5, rtol=1e-5)


@pytest.mark.parametrize("tau", [1.0, 0.7])
def test_post_hoc_adjustment_undoes_the_shift_of_the_loss(logits, labels, tau):
    prior = np.array(COUNTS) / np.sum(COUNTS)
    adjusted = adjust_logits(logits, COUNTS, tau=tau)
    np.testing.assert_allclose(adjusted, logits - tau * np.log(prior), rtol=1e-12)
    np.testing.assert_allclose(
        balanced_softmax_crossentropy(labels, adjusted, COUNTS, tau=tau),
        cross_entropy(labels, logits),
        rtol=1e-9,
    )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_post_hoc_adjustment_takes_arrays_and_tensors(logits, dtype):
    array = logits.astype(dtype)
    found = adjust_logits(array, COUNTS)
    assert found.dtype == tf.as_dtype(np.promote_types(dtype, "float32"))
    np.testing.assert_array_equal(found, adjust_logits(tf.constant(array), np.array(COUNTS)))


def test_post_hoc_adjustment_refuses_a_class_that_was_never_seen(logits):
    with pytest.raises(UserError, match=r"positive count.*Received: class_counts=\[20, 0, 5, 5\]"):
        adjust_logits(logits, [20, 0, 5, 5])


UNUSABLE = [[], [[20, 500]], 20, [20, -1], [20, float("nan")], [20, float("inf")], [0, 0], None]


@pytest.mark.parametrize("counts", [*UNUSABLE, {"cat": 20}, ["many", "few"], [[1], [2, 3]]])
@pytest.mark.parametrize("zero_count", ["error", "mask", 1.0])
def test_unusable_counts_are_refused(counts, zero_count):
    with pytest.raises(UserError, match=r"^class_counts must be .*Received: class_counts=.+$"):
        BalancedSoftmaxCrossentropy(counts, zero_count=zero_count)


def test_function_refuses_unusable_counts_too(logits, labels):
    with pytest.raises(UserError, match="Received: class_counts="):
        balanced_softmax_crossentropy(labels, logits, [1, 2, 3, -4])


def test_thousand_counts_make_no_message_of_a_thousand_numbers():
    with pytest.raises(
        UserError, match=r"class 999 has no image.*Received: class_counts="
    ) as error:
        BalancedSoftmaxCrossentropy(np.r_[np.ones(999, int), 0])
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("zero_count", ["epsilon", 0, -1.0, float("nan"), float("inf"), None, True])
def test_unknown_zero_count_is_refused(zero_count):
    with pytest.raises(UserError, match="Received: zero_count="):
        BalancedSoftmaxCrossentropy(COUNTS, zero_count=zero_count)


@pytest.mark.parametrize("tau", [-1.0, float("nan"), float("inf"), "1", None, True])
def test_unusable_tau_is_refused(tau):
    with pytest.raises(UserError, match="Received: tau="):
        BalancedSoftmaxCrossentropy(COUNTS, tau=tau)


def test_counts_of_another_head_are_refused(logits, labels):
    with pytest.raises(UserError, match=r"3 class counts.*Received: logits\.shape=\(6, 4\)"):
        BalancedSoftmaxCrossentropy([20, 20, 500])(labels, logits)
    with pytest.raises(UserError, match=r"Received: logits\.shape="):
        adjust_logits(logits, [20, 20, 500])


def test_one_hot_labels_are_refused(logits, labels):
    with pytest.raises(UserError, match=r"Received: y_true.shape=\(6, 4\)"):
        balanced_softmax_crossentropy(np.eye(4)[labels], logits, COUNTS)


def test_zero_count_options(logits, labels):
    """Refuse, leave the softmax, or stand in for the count."""
    counts, logits = [0, 20, 500, 500], logits.astype("float32")
    with pytest.raises(UserError, match="class 0 has no image"):
        BalancedSoftmaxCrossentropy(counts)
    for zero_count, used in (("mask", counts), (0.5, [0.5, 20, 500, 500])):
        loss = BalancedSoftmaxCrossentropy(counts, zero_count=zero_count, reduction="none")
        expected = balanced_softmax_crossentropy(labels, logits, used)
        np.testing.assert_array_equal(loss(labels, logits), expected)
        assert loss.class_counts == (0, 20, 500, 500)


def test_counts_cannot_change_after_construction():
    """Keras traces them at the first batch and would silently go on using the old ones."""
    given = np.array(COUNTS)
    loss = BalancedSoftmaxCrossentropy(given)
    given[0] = 10**6
    assert loss.class_counts == tuple(COUNTS)
    with pytest.raises(AttributeError):
        loss.class_counts = (1, 1, 1, 1)


def test_mean_over_the_batch_and_sample_weights(logits, labels):
    logits = logits.astype("float32")
    per_sample = np.array(balanced_softmax_crossentropy(labels, logits, COUNTS))
    loss, weights = BalancedSoftmaxCrossentropy(COUNTS), np.arange(6.0)
    np.testing.assert_allclose(loss(labels, logits), per_sample.mean(), rtol=1e-6)
    weighted = (per_sample * weights).mean()
    np.testing.assert_allclose(loss(labels, logits, sample_weight=weights), weighted, rtol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        BalancedSoftmaxCrossentropy(np.array(COUNTS), tau=0.5, reduction="sum", dtype="float64"),
        BalancedSoftmaxCrossentropy([0, 1.5, 2, 3], zero_count="mask", name="mine"),
        BalancedSoftmaxCrossentropy(COUNTS, zero_count=np.float32(0.5)),
    ],
)
def test_serialised_loss_comes_back_whole(loss):
    """By JSON, as it lies in a .keras file: Keras itself drops the dtype."""
    config = keras.saving.serialize_keras_object(loss)
    copy = keras.saving.deserialize_keras_object(config)
    assert isinstance(copy, BalancedSoftmaxCrossentropy)
    assert copy.get_config() == loss.get_config()
    assert (copy.dtype, copy.class_counts) == (loss.dtype, loss.class_counts)
    assert config["registered_name"] == "tfcil>BalancedSoftmaxCrossentropy"


def toy_model(dtype="float32"):
    inputs = keras.Input((2,))
    initializer = keras.initializers.GlorotUniform(seed=1)
    outputs = keras.layers.Dense(2, kernel_initializer=initializer, dtype=dtype)(inputs)
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_fit_on_imbalanced_data_balances_the_classes(dtype):
    """Ten to one: cross-entropy calls the overlap class 1, balanced softmax splits it evenly."""
    rng = np.random.default_rng(0)
    labels = np.r_[np.zeros(40), np.ones(400)]
    x = rng.normal(size=(440, 2)) + labels[:, None] * [1.0, 0.0]
    recalls = {}
    for name, counts in (("plain", [1, 1]), ("balanced", [40, 400])):
        model = toy_model(dtype)
        model.compile(keras.optimizers.Adam(0.05), BalancedSoftmaxCrossentropy(counts))
        model.fit(x, labels, epochs=15, batch_size=110, shuffle=False, verbose=0)
        right = np.argmax(model.predict(x, verbose=0), axis=1) == labels
        recalls[name] = right[:40].mean(), right[40:].mean()
    assert recalls["plain"][1] - recalls["plain"][0] > 0.5
    assert abs(recalls["balanced"][1] - recalls["balanced"][0]) < 0.2


def test_saved_compiled_model_reopens_and_trains(tmp_path):
    model = toy_model()
    model.compile("sgd", BalancedSoftmaxCrossentropy([40, 400]))
    x, labels = np.ones((8, 2), "float32"), np.array([0, 1] * 4)
    model.fit(x, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    reopened = keras.models.load_model(tmp_path / "model.keras")
    assert reopened.loss.class_counts == (40, 400)
    expected = model.evaluate(x, labels, verbose=0)
    np.testing.assert_allclose(reopened.evaluate(x, labels, verbose=0), expected, rtol=1e-6)


def test_predictions_do_not_depend_on_the_counts():
    """The shift lives in the loss: what a model predicts is its raw logits."""
    model, x = toy_model(), np.ones((3, 2), "float32")
    before = model.predict(x, verbose=0)
    model.compile("sgd", BalancedSoftmaxCrossentropy([1, 10**6]))
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)


def test_loss_works_inside_a_compiled_function(logits, labels):
    compiled = tf.function(lambda y, z: balanced_softmax_crossentropy(y, z, COUNTS))
    spec = tf.TensorSpec((None,), "int64"), tf.TensorSpec((None, 4), "float64")
    found = compiled.get_concrete_function(*spec)(tf.constant(labels), tf.constant(logits))
    expected = balanced_softmax_crossentropy(labels, logits, COUNTS)
    np.testing.assert_allclose(found, ops.convert_to_numpy(expected), rtol=1e-12)
