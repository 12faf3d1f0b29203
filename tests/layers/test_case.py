"""The adapter block of CaSE: the official numbers, an identity at first, one factor per context."""

import numpy as np
import pytest
import tensorflow as tf
from numpy.testing import assert_allclose, assert_array_equal

from tfcil.layers import ContextualScale


def official_block(stored, case):
    """A float64 block with the official weights."""
    block = ContextualScale(
        hidden_units=int(stored[f"{case}_hidden_units"]),
        standardize=bool(stored[f"{case}_standardize"]),
        dtype="float64",
    )
    block.build(stored[f"{case}_x"].shape)
    block.set_weights(
        [w for k in "123" for w in (stored[f"{case}_w{k}"].T, stored[f"{case}_b{k}"])]
    )
    return block


@pytest.mark.parametrize("case", ["std", "nostd", "wide"])
def test_factors_outputs_and_gradients_are_the_official_ones(oracle, case):
    stored = oracle("case")
    block = official_block(stored, case)
    x = tf.constant(stored[f"{case}_x"])
    with tf.GradientTape() as tape:
        tape.watch(x)
        out = block(x)
        scalar = tf.reduce_sum(out * stored[f"{case}_upstream"])
    by_x, by_weights = tape.gradient(scalar, (x, block.trainable_variables))
    close = {"rtol": 1e-7, "atol": 1e-10}
    assert_allclose(block.factors(np.mean(x, axis=(0, 1, 2))), stored[f"{case}_gamma"], **close)
    assert_allclose(out, stored[f"{case}_out"], **close)
    assert_allclose(by_x, stored[f"{case}_grad_x"], **close)
    for k in range(3):
        assert_allclose(by_weights[2 * k], stored[f"{case}_grad_w{k + 1}"].T, **close)
        assert_allclose(by_weights[2 * k + 1], stored[f"{case}_grad_b{k + 1}"], **close)


@pytest.mark.parametrize("case", ["std", "nostd", "wide"])
def test_factors_that_stay_multiply_other_images_as_the_official_block_does(oracle, case):
    stored = oracle("case")
    factors = official_block(stored, case).factors(stored[f"{case}_x"].mean(axis=(0, 1, 2)))
    out = stored[f"{case}_x_inference"] * np.asarray(factors)
    assert_allclose(out, stored[f"{case}_out_inference"], rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_fresh_block_returns_its_input_to_the_bit(dtype):
    x = np.random.default_rng(0).normal(size=(3, 4, 5, 24)).astype("float32")
    out = ContextualScale(dtype=dtype)(x)
    expected = x if dtype == "float32" else tf.cast(x, "bfloat16")
    assert_array_equal(tf.cast(out, "float32"), tf.cast(expected, "float32"))


def test_there_are_as_many_weights_as_published(oracle):
    counts = []
    for channels in (64, 256, 2048):
        block = ContextualScale()
        block.build((None, 2, 2, channels))
        counts.append(block.count_params())
    assert counts == oracle("case")["param_count_64_256_2048"].tolist()


def test_neither_order_nor_copies_nor_the_scale_of_a_context_matter(oracle):
    stored = oracle("case")
    block, x = official_block(stored, "std"), stored["std_x"]
    out = np.asarray(block(x))
    assert_allclose(block(x[::-1]), out[::-1], rtol=1e-12)
    assert_allclose(block(np.concatenate([x, x]))[: len(x)], out, rtol=1e-12)
    # Standardised with a positive constant under the root, so the larger context is exact.
    mean = x.mean(axis=(0, 1, 2)) * 1e4
    assert_allclose(block.factors(3 * mean + 2), block.factors(mean), rtol=1e-6)


def test_another_context_gives_other_factors(oracle):
    stored = oracle("case")
    block, x = official_block(stored, "std"), stored["std_x"]
    assert np.abs(np.asarray(block(x))[0] - np.asarray(block(x[:1]))[0]).max() > 1e-3
