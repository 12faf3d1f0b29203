"""ResNet-18 against the counts, shapes and padding of the published network."""

import keras
import numpy as np
import pytest

from tfcil import backbones


def trainable(model):
    return sum(int(np.prod(one.shape)) for one in model.trainable_weights)


def test_large_images_get_the_published_network():
    """11,689,512 parameters of the published network, less its 1000-class head."""
    model = backbones.build("resnet18", (224, 224, 3))
    assert trainable(model) == 11_689_512 - 1000 * 513
    assert [one.shape[1:] for one in model.output["maps"]] == [
        (56, 56, 64),
        (28, 28, 128),
        (14, 14, 256),
        (7, 7, 512),
    ]
    assert model.output["features"].shape == (None, 512)


def test_small_images_keep_their_resolution_in_the_stem():
    """11,173,962 parameters of the network known to CIFAR users, less its 10-class head."""
    model = backbones.build("resnet18", (32, 32, 3))
    assert trainable(model) == 11_173_962 - 10 * 513
    assert [one.shape[1:3] for one in model.output["maps"]] == [(32, 32), (16, 16), (8, 8), (4, 4)]


@pytest.mark.parametrize(("side", "stride"), [(99, 1), (100, 2)])
def test_the_stem_changes_at_100_pixels(side, stride):
    model = backbones.build("resnet18", (side, 120, 3))
    assert model.get_layer("stem_conv").strides == (stride, stride)


def test_the_large_stem_is_centred_on_the_first_pixel():
    """Padding 3 on every side; "same" with stride 2 would pad 2 before and 3 after."""
    model = backbones.build("resnet18", (128, 128, 3))
    x = np.random.default_rng(0).normal(size=(1, 128, 128, 3)).astype("float32")
    stem = model.get_layer("stem_conv")
    received = np.asarray(keras.Model(model.input, stem.output)(x))[0, 0, 0]
    expected = np.einsum("hwc,hwcd->d", x[0, :4, :4], np.asarray(stem.kernel)[3:, 3:])
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)


def test_the_large_stem_pools_as_if_nothing_surrounded_the_image():
    model = backbones.build("resnet18", (128, 128, 3))
    x = np.random.default_rng(0).normal(size=(1, 128, 128, 3)).astype("float32")
    ends = [model.get_layer(name).output for name in ("stem_relu", "stem_pool")]
    before, after = (np.asarray(one)[0] for one in keras.Model(model.input, ends)(x))
    assert after.shape == (32, 32, 64)
    np.testing.assert_array_equal(after[0, 0], before[:2, :2].max((0, 1)))
    np.testing.assert_array_equal(after[-1, 3], before[-3:, 5:8].max((0, 1)))


def test_features_are_the_mean_of_the_last_map():
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")
    outputs = backbones.build("resnet18", (16, 16, 3), last_relu=False)(x)
    last = np.asarray(outputs["maps"][-1])
    assert last.min() < 0
    np.testing.assert_allclose(outputs["features"], last.mean((1, 2)), rtol=1e-5, atol=1e-6)
