"""What holds for every backbone: names, files, precision and errors."""

import zipfile

import keras
import numpy as np
import pytest

from tfcil import backbones
from tfcil.backbones import applications, names, registry
from tfcil.errors import UserError

SHAPE = (32, 32, 3)
NAMES = ["simple_cnn", "resnet32_rebuffi", "resnet18", "efficientnet_lite0", "MobileNet"]


@pytest.mark.parametrize("name", NAMES)
def test_building_twice_gives_equal_models(name):
    """Whatever was built in between: every layer has a name of its own."""
    keras.utils.set_random_seed(7)
    first = backbones.build(name, SHAPE)
    keras.Sequential([keras.Input(SHAPE), keras.layers.ReLU(), keras.layers.Conv2D(1, 1)])
    keras.utils.set_random_seed(7)
    second = backbones.build(name, SHAPE)
    assert second.get_config() == first.get_config()
    for received, expected in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(received, expected)


def test_files_of_equal_models_have_equal_contents(tmp_path):
    contents = []
    for path in (tmp_path / "first.keras", tmp_path / "second.keras"):
        keras.utils.set_random_seed(7)
        backbones.build("simple_cnn", (8, 8, 1)).save(path)
        with zipfile.ZipFile(path) as archive:
            contents.append([archive.read(name) for name in ("config.json", "model.weights.h5")])
    assert contents[0] == contents[1]


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_found_by_name_in_a_flat_saved_model(name, tmp_path):
    """A head on top, saved with plain Keras: `map1`, `map2`, ... and `features` are layers."""
    inputs = keras.Input(SHAPE, name="image")
    outputs = backbones.apply(name, inputs)
    logits = keras.layers.Dense(2, name="logits")(outputs["features"])
    keras.Model(inputs, logits).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not any(isinstance(layer, keras.Model) for layer in loaded.layers)
    ends = [f"map{k}" for k in range(1, len(outputs["maps"]) + 1)] + ["features"]
    found = keras.Model(loaded.input, [loaded.get_layer(end).output for end in ends])
    backbone = keras.Model(inputs, [*outputs["maps"], outputs["features"]])
    x = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype("float32")
    for received, expected in zip(found(x), backbone(x), strict=True):
        np.testing.assert_array_equal(received, expected)


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_computes_low_and_pools_in_float32(name):
    before = keras.config.dtype_policy()
    model = backbones.build(name, SHAPE, dtype="mixed_bfloat16")
    assert keras.config.dtype_policy() == before
    assert model.output["maps"][0].dtype == "bfloat16"
    assert model.output["features"].dtype == "float32"
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    x = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE)).astype("float32")
    assert np.isfinite(model(x)["features"]).all()


def test_without_dtype_the_current_policy_holds():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        features = backbones.build("simple_cnn", (8, 8, 1)).output["features"]
    finally:
        keras.config.set_dtype_policy(before)
    assert features.dtype == "float64"


def test_the_policy_comes_back_after_an_error():
    before = keras.config.dtype_policy()
    with pytest.raises(UserError):
        backbones.build("resnet20", (4, 4, 3), dtype="mixed_bfloat16")
    assert keras.config.dtype_policy() == before


def ends_with_relu(model):
    last = max(layer.name for layer in model.layers if layer.name.startswith("map"))
    return isinstance(model.get_layer(last), keras.layers.ReLU)


@pytest.mark.parametrize("name", registry.OWN)
def test_last_relu_overrides_the_published_ending(name):
    """As published, LUCIR's and PODNet's networks have none: cosine heads want both signs."""
    published = ends_with_relu(backbones.build(name, SHAPE))
    assert published == (name not in {"resnet32_lucir", "resnet32_rebuffi"})
    for last_relu in (True, False):
        assert ends_with_relu(backbones.build(name, SHAPE, last_relu=last_relu)) == last_relu


def test_all_but_the_own_ones_normalise_themselves():
    assert not any(backbones.normalises_itself(name) for name in registry.OWN)
    for name in ("efficientnet_b0", "efficientnet_lite0", "hub:dinov2_small", "my.keras"):
        assert backbones.normalises_itself(name)


def test_names_known_without_keras_are_those_that_can_be_built():
    assert tuple(registry.OWN) == names.OWN_BACKBONES
    assert {name.lower() for name in names.APPLICATIONS} <= set(applications.constructors())


@pytest.mark.parametrize(
    "function", [backbones.normalises_itself, lambda name: backbones.build(name, SHAPE)]
)
def test_an_unknown_name_is_answered_with_the_nearest_one(function):
    with pytest.raises(UserError, match=r"did you mean resnet32\?") as caught:
        function("resnet23")
    assert str(caught.value).endswith("Received: backbone=resnet23")


@pytest.mark.parametrize("name", registry.OWN)
@pytest.mark.parametrize("input_shape", [(3, 32, 32), (28, 28), (None, None, 3)])
def test_images_of_a_wrong_shape_are_refused(name, input_shape):
    with pytest.raises(UserError, match=r"height, width, channels") as caught:
        backbones.build(name, input_shape)
    assert str(caught.value).endswith(f"Received: input_shape={input_shape}")


@pytest.mark.parametrize(("name", "weights"), [("resnet32", "imagenet"), ("VGG16", "places")])
def test_weights_that_do_not_exist_are_refused(name, weights):
    with pytest.raises(UserError, match=f"Received: backbone={name}, weights={weights}$"):
        backbones.build(name, SHAPE, weights=weights)
