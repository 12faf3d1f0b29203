"""Cosine and local-similarity heads: the official numbers, their weights, precision, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcil.errors import UserError
from tfcil.layers import CosineDense, LocalSimilarity
from tfcil.losses import BalancedSoftmaxCrossentropy

HEADS = [
    CosineDense(4, seed=1).get_config(),
    LocalSimilarity(4, proxies=3, seed=1).get_config(),
    LocalSimilarity(4, proxies=3, similarity="cosine", gamma=2.0, seed=1).get_config(),
]


def head_of(config, **changes):
    kind = LocalSimilarity if "proxies" in config else CosineDense
    return kind.from_config({**config, **changes})


def official_head(head, weights, scale=1.0):
    """A float64 head with the official (rows, d) weights and scale."""
    head.build((None, weights.shape[1]))
    head.kernel.assign(weights.T)
    head.scale.assign(scale)
    return head


def test_cosine_logits_and_similarities_are_the_official_ones(oracle):
    stored = oracle("lucir_cosine")
    weights = stored["weight"]
    head = official_head(CosineDense(len(weights), dtype="float64"), weights, stored["sigma"])
    close = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(head(stored["features"]), stored["logits"], **close)
    cosines = head.similarities(stored["features"])
    np.testing.assert_allclose(cosines, stored["logits_no_sigma"], **close)


def test_local_similarity_logits_are_the_official_ones(oracle):
    stored = oracle("podnet_lsc")
    weights, proxies = stored["weights"], int(stored["n_proxies"])
    units, scaling = len(weights) // proxies, stored["scaling"]
    for options, key in (
        ({}, "neg_stable_cosine_distance_logits"),
        ({"similarity": "cosine"}, "cosine_logits"),
        ({"similarity": "cosine", "gamma": 3}, "cosine_gamma3_logits"),
    ):
        head = LocalSimilarity(units, proxies, **options, dtype="float64")
        head = official_head(head, weights, scaling)
        np.testing.assert_allclose(head(stored["features"]), stored[key], rtol=1e-9, atol=1e-12)


def test_local_similarity_of_one_proxy_is_the_cosine_head():
    x = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    cosine = CosineDense(4, seed=1)
    local = LocalSimilarity(4, proxies=1, similarity="cosine", seed=1)
    np.testing.assert_allclose(local(x), cosine(x), rtol=1e-6)


def test_cosine_by_hand_whatever_the_lengths():
    head = official_head(CosineDense(2), np.array([[2.0, 0], [3, 3]]), scale=10)
    expected = [[10, 50**0.5], [0, 50**0.5]]
    found = head(np.array([[5.0, 0], [0, 0.1]]))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_proxies_of_a_class_are_adjacent_columns():
    """The documented layout: column class * proxies + k."""
    head = official_head(LocalSimilarity(2, 2), np.array([[1.0, 0], [1, 0], [-1, 0], [-1, 0]]))
    np.testing.assert_allclose(head(np.array([[3.0, 0]])), [[0, -4]], atol=1e-6)


@pytest.mark.parametrize("config", HEADS)
def test_weights_start_as_documented(config):
    head = head_of(config)
    head.build((None, 64))
    kernel = np.array(head.kernel)
    assert kernel.shape == (64, 4 * config.get("proxies", 1))
    assert np.abs(kernel).max() <= 1 / 8
    np.testing.assert_allclose(kernel.std(), 1 / 8 / 3**0.5, rtol=0.1)
    assert float(head.scale.numpy()) == 1
    assert [weight.name for weight in head.trainable_weights] == ["kernel", "scale"]


@pytest.mark.parametrize("config", HEADS)
def test_seed_decides_the_first_weights(config):
    kernels = []
    for seed in (1, 1, 2):
        head = head_of(config, seed=seed)
        head.build((None, 8))
        kernels.append(np.array(head.kernel))
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert np.abs(kernels[0] - kernels[2]).max() > 0.01


@pytest.mark.parametrize("config", HEADS)
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16"])
def test_output_is_float32_under_every_precision_policy(config, policy):
    """And its numbers are those of float32 weights: scale * cosine needs more than 8 bits."""
    x = tf.cast(np.random.default_rng(0).normal(size=(5, 8)), policy.removeprefix("mixed_"))
    head, exact = head_of(config, dtype=policy), head_of(config, dtype="float32")
    inputs = keras.Input((8,), dtype=x.dtype.name)
    output = keras.Model(inputs, head(inputs))(x)
    exact.build(x.shape)
    exact.set_weights(head.get_weights())
    assert output.dtype == tf.float32
    assert head.output.dtype == "float32"
    np.testing.assert_array_equal(output, exact(tf.cast(x, "float32")))
    with tf.GradientTape() as tape:
        tape.watch(x)
        logits = head(x)
    assert tape.gradient(logits, x).dtype == x.dtype


def test_weights_stay_float32_inside_a_model_that_autocasts():
    """A head asked for similarities by a subclassed mixed-precision model reads exact weights."""

    class Model(keras.Model):
        def __init__(self):
            super().__init__(dtype="mixed_bfloat16")
            self.head = CosineDense(4, seed=1)

        def build(self, shape):
            self.head.build(shape)

        def call(self, x):
            return self.head.similarities(x)

    model = Model()
    x = tf.cast(np.random.default_rng(0).normal(size=(5, 8)), "bfloat16")
    np.testing.assert_array_equal(model(x), model.head.similarities(x))


@pytest.mark.parametrize("config", HEADS)
def test_features_or_weights_without_direction_stay_finite(config):
    """A ReLU can leave all features 0: gradients must be neither NaN nor 1e12."""
    head = head_of(config)
    x = tf.Variable(np.random.default_rng(0).normal(size=(3, 8)).astype("float32"))
    x[0].assign(tf.zeros(8))
    head.build(x.shape)
    kernel = np.array(head.kernel)
    kernel[:, 0] = 0
    head.kernel.assign(kernel)
    with tf.GradientTape() as tape:
        output = head(x)
    gradients = tape.gradient(output, [x, head.kernel.value])
    assert np.isfinite(output).all()
    assert all(np.abs(gradient).max() < 100 for gradient in gradients)


@pytest.mark.parametrize("config", HEADS)
def test_config_is_complete(config):
    head = head_of(config, name="mine", dtype="float64", trainable=False)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(head))
    assert type(copy) is type(head)
    assert copy.get_config() == head.get_config()
    expected = {key: config[key] for key in config if key not in ("name", "dtype", "trainable")}
    assert expected.items() <= copy.get_config().items()
    assert (copy.name, copy.variable_dtype, copy.trainable) == ("mine", "float64", False)


@pytest.mark.parametrize("config", HEADS)
def test_head_learns_in_fit_and_reopens_from_a_file(config, tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(4), 16)
    x = (rng.normal(size=(4, 8))[labels] + 0.3 * rng.normal(size=(64, 8))).astype("float32")
    inputs = keras.Input((8,))
    model = keras.Model(inputs, head_of(config)(inputs))
    loss = BalancedSoftmaxCrossentropy([16] * 4)
    model.compile(keras.optimizers.Adam(0.05), loss, metrics=["accuracy"])
    history = model.fit(x, labels, epochs=20, verbose=0).history
    assert history["accuracy"][-1] > 0.95
    model.save(tmp_path / "model.keras")
    reopened = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(reopened.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("units", [0, -3, 2.5, "4", True, None])
def test_unusable_units_are_refused(units):
    with pytest.raises(UserError, match=r"^units must be a positive integer\. Received: units="):
        CosineDense(units)


@pytest.mark.parametrize("option", [{"proxies": 0}, {"similarity": "dot"}, {"gamma": 0.0}])
def test_unusable_options_of_local_similarity_are_refused(option):
    with pytest.raises(UserError, match=f"Received: {next(iter(option))}="):
        LocalSimilarity(4, **option)


@pytest.mark.parametrize("config", HEADS)
def test_similarities_refuse_to_freeze_the_weights_into_a_functional_model(config):
    head, inputs = head_of(config), keras.Input((8,))
    head(inputs)
    with pytest.raises(UserError, match="Received: features=<KerasTensor"):
        head.similarities(inputs)


def test_features_that_are_not_pooled_are_refused():
    with pytest.raises(ValueError, match="expected ndim=2"):
        CosineDense(4)(np.ones((2, 3, 3, 8)))
