"""The kernel computes what Keras's layer does: outputs, gradients, running statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcil.classifier.fused_batch_norm import FusedBatchNorm, fuse_batch_norm

IMAGES = np.random.default_rng(0).normal(1, 2, (4, 5, 6, 3)).astype("float32")


def normalised(scale=True, center=True, axis=-1):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 6, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(axis, 0.8, 1e-3, scale=scale, center=center, name="bn")(x)
    return keras.Model(inputs, {"maps": x, "features": keras.layers.Flatten()(x)})


def step_of(model):
    """Outputs, gradients and running statistics of one step."""
    values = [variable.value for variable in model.trainable_variables]
    with tf.GradientTape() as tape:
        features = model(IMAGES, training=True)["features"]
        loss = tf.reduce_sum(tf.sin(features))
    gradients = tape.gradient(loss, values)
    return [features, *gradients, *model.non_trainable_variables]


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_a_step_is_that_of_the_plain_model(scale, center):
    model, other = normalised(scale, center), normalised(scale, center)
    fused = fuse_batch_norm(model)
    assert isinstance(fused.get_layer("bn"), FusedBatchNorm)
    for value, expected in zip(step_of(fused), step_of(other), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-4)


def test_inference_uses_the_running_statistics_of_the_same_variables():
    model = normalised()
    fused = fuse_batch_norm(model)
    step_of(fused)
    assert [variable.path for variable in fused.trainable_variables] == [
        variable.path for variable in model.trainable_variables
    ]
    np.testing.assert_allclose(
        fused(IMAGES, training=False)["maps"], model(IMAGES, training=False)["maps"], atol=1e-5
    )


def test_a_frozen_layer_keeps_its_statistics():
    model = normalised()
    model.trainable = False
    before = model.get_layer("bn").get_weights()
    fuse_batch_norm(model)(IMAGES, training=True)
    for value, kept in zip(model.get_layer("bn").get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


@pytest.mark.parametrize("change", ["axis", "synchronized"])
def test_what_the_kernel_does_not_cover_stays(change):
    model = normalised(axis=1 if change == "axis" else -1)
    model.get_layer("bn").synchronized = change == "synchronized"
    assert not isinstance(fuse_batch_norm(model).get_layer("bn"), FusedBatchNorm)
