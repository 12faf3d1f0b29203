"""Networks of keras.applications: preprocessing, names, files, and what can go wrong."""

import inspect

import keras
import numpy as np
import pytest

from tfcil import backbones
from tfcil.backbones import applications
from tfcil.errors import UserError

FAMILIES = {inspect.getmodule(one): one for one in applications.constructors().values()}


@pytest.mark.parametrize("constructor", FAMILIES.values(), ids=lambda one: one.__name__)
def test_preprocessing_is_that_of_the_family(constructor):
    """For every family Keras has, on random colours; in float32 whatever the precision."""
    x = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 3)).astype("float32")
    inputs = keras.Input((5, 4, 3))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        received = keras.Model(inputs, applications.preprocess(inputs, constructor))(x)
    finally:
        keras.config.set_dtype_policy(before)
    expected = inspect.getmodule(constructor).preprocess_input(x.copy())
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "dimension"), [("MobileNet", 1024), ("mobilenet_v3_small", 576), ("vgg16", 512)]
)
def test_a_saved_network_reloads_with_plain_keras(name, dimension, tmp_path):
    """One flat model whose features are the mean of the published network's output."""
    model = backbones.build(name, (32, 32, 3))
    x = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = model(x)
    assert expected["features"].shape == (2, dimension)
    np.testing.assert_allclose(
        expected["features"], np.mean(expected["maps"][0], axis=(1, 2)), rtol=1e-4, atol=1e-6
    )
    assert not any(isinstance(layer, keras.Model) for layer in model.layers)
    model.save(tmp_path / "model.keras")
    received = keras.models.load_model(tmp_path / "model.keras")(x)
    np.testing.assert_array_equal(received["features"], expected["features"])


def test_the_network_is_the_published_one_after_its_preprocessing():
    keras.utils.set_random_seed(0)
    model = backbones.build("VGG16", (32, 32, 3))
    published = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    published.set_weights(model.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    expected = published(keras.applications.vgg16.preprocess_input(x.copy()))
    np.testing.assert_allclose(model(x)["maps"][0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
def test_names_do_not_depend_on_what_was_built_before(name):
    """Keras leaves layers of these networks (and layers inside their parts) without a name."""
    first = backbones.build(name, (32, 32, 3)).get_config()
    keras.Sequential([keras.Input((4, 4, 3)), keras.layers.ReLU(), keras.layers.Rescaling(2.0)])
    assert backbones.build(name, (32, 32, 3)).get_config() == first


def test_layers_before_the_network_keep_their_names():
    inputs = keras.Input((32, 32, 3), name="image")
    x = keras.layers.Rescaling(1.0)(inputs)
    name = x._keras_history.operation.name
    outputs = backbones.apply("MobileNetV3Small", x)
    assert name in {layer.name for layer in keras.Model(inputs, outputs).layers}


@pytest.mark.parametrize("spelling", ["VGG16", "vgg16", "vgg_16", "VGG_16"])
def test_names_are_found_in_any_spelling(spelling):
    layers = {layer.name for layer in backbones.build(spelling, (32, 32, 3)).layers}
    assert {"block1_conv1", "block5_conv3"} <= layers
    assert "block3_conv4" not in layers  # of VGG19


@pytest.mark.parametrize(
    ("name", "input_shape", "message"),
    [
        ("VGG16", (28, 28, 1), "VGG16 takes colour images"),
        ("VGG16", (None, None, 3), "VGG16 takes colour images"),
        ("MobileNetV2", (20, 24, 3), "MobileNetV2: Input size must be at least 32x32"),
    ],
)
def test_images_it_cannot_take_are_refused_in_one_line(name, input_shape, message):
    with pytest.raises(UserError, match=message) as caught:
        backbones.build(name, input_shape)
    assert str(caught.value).endswith(f". Received: input_shape={input_shape}")
    assert str(caught.value).count("Received") == 1
    assert "\n" not in str(caught.value)


def test_a_failed_download_is_told_in_one_line(monkeypatch):
    def unreachable(*args, **kwargs):
        raise Exception("URL fetch failure on https://...: None --\nName or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", unreachable)
    with pytest.raises(UserError, match=r"needs internet.*Received: weights=imagenet$") as caught:
        backbones.build("MobileNet", (128, 128, 3), weights="imagenet")
    assert "\n" not in str(caught.value)


def test_downloaded_weights_land_in_their_layers(monkeypatch, tmp_path):
    """The preprocessing in front of the network must not shift the layers of a weights file."""
    keras.utils.set_random_seed(1)
    published = keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(128, 128, 3)
    )
    published.save(tmp_path / "weights.h5")
    monkeypatch.setattr(
        "keras.src.utils.file_utils.get_file", lambda *args, **kwargs: tmp_path / "weights.h5"
    )
    model = backbones.build("MobileNet", (128, 128, 3), weights="imagenet")
    for received, expected in zip(model.get_weights(), published.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)
