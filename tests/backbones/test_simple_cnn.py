"""The small network: its shapes, its ending, and that it learns."""

import keras
import numpy as np
import pytest

from tfcil import backbones


@pytest.mark.parametrize("input_shape", [(28, 28, 1), (32, 32, 3), (9, 17, 2)])
def test_three_poolings_then_the_mean_of_the_last_map(input_shape):
    model = backbones.build("simple_cnn", input_shape)
    sides = [tuple(side // 2**k for side in input_shape[:2]) for k in (1, 2, 3, 3)]
    assert [one.shape[1:3] for one in model.output["maps"]] == sides
    x = np.random.default_rng(0).normal(size=(3, *input_shape)).astype("float32")
    outputs = model(x)
    mean = np.asarray(outputs["maps"][-1]).mean((1, 2))
    np.testing.assert_allclose(outputs["features"], mean, rtol=1e-5, atol=1e-6)
    assert mean.shape == (3, 128)


@pytest.mark.parametrize("last_relu", [True, False])
def test_last_relu_decides_whether_features_have_both_signs(last_relu):
    x = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")
    maps = backbones.build("simple_cnn", (8, 8, 1), last_relu=last_relu)(x)["maps"]
    assert (np.min(maps[-1]) >= 0) == last_relu
    assert np.min(maps[0]) >= 0


def test_pooling_before_batch_norm_equals_pooling_after_it():
    """The cheap order computes the usual block (for positive scales, and given statistics)."""
    model = backbones.build("simple_cnn", (8, 8, 1))
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    convolved = model.get_layer("block1_conv")(x)
    normalised = model.get_layer("block1_bn")(convolved, training=False)
    usual = keras.layers.MaxPooling2D(2)(keras.ops.relu(normalised))
    np.testing.assert_allclose(model(x)["maps"][0], usual, rtol=1e-5, atol=1e-6)


def test_it_learns_to_tell_two_textures_apart():
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    labels = np.arange(32) % 2
    x = generator.normal(size=(32, 12, 12, 1)).astype("float32")
    x[labels == 1] += np.tile([1.0, -1.0], 6)[:, None]  # vertical stripes
    model = backbones.build("simple_cnn", (12, 12, 1))
    logits = keras.layers.Dense(2, name="logits")(model.output["features"])
    classifier = keras.Model(model.input, logits)
    classifier.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    classifier.fit(x, labels, epochs=20, batch_size=32, verbose=0)
    assert (classifier.predict(x, verbose=0).argmax(1) == labels).all()
