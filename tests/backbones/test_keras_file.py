"""A `.keras` file as backbone: where its features are taken, its weights, and what does not fit."""

import keras
import numpy as np
import pytest
from keras import layers

from tfcil import backbones
from tfcil.classifier import grown, save_classifier, untrained
from tfcil.errors import UserError

SHAPE = (12, 12, 3)
IMAGES = np.random.default_rng(0).uniform(0, 255, (4, *SHAPE)).astype("float32")


def trunk():
    """Layers to 5 features; some have names that tfcil gives to its own."""
    return [
        keras.Input(SHAPE, name="image"),
        layers.Conv2D(4, 3, name="map1"),
        layers.Conv2D(5, 3, name="resizing"),
        layers.GlobalAveragePooling2D(name="features"),
    ]


def nested(*tops):
    """A network in a network, as transfer learning with keras.applications makes them."""
    inner = keras.Sequential([*trunk(), *tops], name="base")
    return keras.Sequential([keras.Input(SHAPE), layers.Identity(), inner])


HEADS = {
    "softmax": lambda: keras.Sequential([*trunk(), layers.Dense(3, "softmax")]),
    "logits": lambda: keras.Sequential([*trunk(), layers.Dense(3, name="logits")]),
    "layer": lambda: keras.Sequential([*trunk(), layers.Dense(3), layers.Softmax()]),
    "activation": lambda: keras.Sequential(
        [*trunk(), layers.Dense(3), layers.Activation("softmax")]
    ),
    "dropout": lambda: keras.Sequential([*trunk(), layers.Dropout(0.5), layers.Dense(3)]),
    "nested head": lambda: nested(layers.Dense(3, "softmax")),
    "nested": nested,
    "none": lambda: keras.Sequential(trunk()),
    "map": lambda: keras.Sequential(trunk()[:-1]),
}


@pytest.fixture
def file(tmp_path):
    """Saves a network; returns its path."""

    def file(network, name="network.keras"):
        network.save(tmp_path / name)
        return str(tmp_path / name)

    return file


def features_of(network, x):
    """The means of the last convolution, by layers of the network itself."""
    base = network.get_layer("base") if "base" in {one.name for one in network.layers} else network
    last = keras.Model(base.inputs[0], base.get_layer("resizing").output)
    return np.mean(last(x), axis=(1, 2))


@pytest.mark.parametrize("head", HEADS)
def test_features_are_those_before_the_classes(head, file):
    network = HEADS[head]()
    received = backbones.build(file(network), SHAPE, pixels="raw")(IMAGES)
    np.testing.assert_allclose(received["features"], features_of(network, IMAGES), rtol=1e-5)
    assert [one.shape[1:] for one in received["maps"]] == ([(8, 8, 5)] if head == "map" else [])


@pytest.mark.parametrize(
    ("pixels", "scaled"),
    [("raw", lambda x: x), ("unit", lambda x: x / 255), ("signed", lambda x: x / 127.5 - 1)],
)
def test_the_network_gets_the_values_that_it_takes(pixels, scaled, file):
    network = HEADS["softmax"]()
    received = backbones.build(file(network), SHAPE, pixels=pixels)(IMAGES)["features"]
    expected = features_of(network, scaled(IMAGES))
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)


def test_an_embedding_that_a_relu_ends_is_no_head(file):
    network = keras.Sequential([*trunk(), layers.Dense(7, "relu")])
    received = backbones.build(file(network), SHAPE, pixels="raw")(IMAGES)["features"]
    np.testing.assert_allclose(received, network(IMAGES), rtol=1e-5)


def test_a_named_layer_gives_the_features(file):
    network = HEADS["softmax"]()
    received = backbones.build(file(network), SHAPE, pixels="raw", layer="map1")(IMAGES)
    expected = keras.Model(network.inputs[0], network.get_layer("map1").output)(IMAGES)
    np.testing.assert_allclose(received["maps"][0], expected, rtol=1e-5)
    np.testing.assert_allclose(received["features"], np.mean(expected, axis=(1, 2)), rtol=1e-5)


def test_constants_that_a_layer_was_adapted_to_are_kept(file):
    normalisation = layers.Normalization()
    normalisation.adapt(IMAGES)
    first, *others = trunk()
    network = keras.Sequential([first, normalisation, *others])
    received = backbones.build(file(network), SHAPE, pixels="raw")(IMAGES)["features"]
    np.testing.assert_allclose(received, features_of(network, IMAGES), rtol=1e-4, atol=1e-5)


def test_operations_between_the_layers_are_kept(file):
    first, *others = trunk()
    x = first / 127.5 - 1.0
    for layer in others:
        x = layer(x)
    network = keras.Model(first, x)
    received = backbones.build(file(network), SHAPE, pixels="raw")(IMAGES)["features"]
    np.testing.assert_allclose(received, features_of(network, IMAGES), rtol=1e-4, atol=1e-5)


def test_a_classifier_of_tfcil_begins_another_one(tmp_path):
    """Its layers keep apart from those of the new one; files have equal bytes."""
    shape, statistics = (28, 20, 3), ([120.0] * 3, [60.0] * 3)
    first = grown(untrained("simple_cnn", shape, *statistics), 2, np.random.default_rng(0))
    save_classifier(first, tmp_path / "first.keras")
    for name in ("second.keras", "third.keras"):
        options = {"pixels": "raw", "side": 20}
        model = untrained(str(tmp_path / "first.keras"), (14, 10, 3), None, None, **options)
        save_classifier(grown(model, 3, np.random.default_rng(1)), tmp_path / name)
    assert (tmp_path / "second.keras").read_bytes() == (tmp_path / "third.keras").read_bytes()
    second = keras.models.load_model(tmp_path / "second.keras")
    assert [one.name for one in second.operations[:3]] == ["image", "resizing", "own_normalisation"]
    images = np.random.default_rng(2).integers(0, 256, (2, 14, 10, 3)).astype("float32")
    larger = keras.ops.image.resize(images, (28, 20))
    expected = keras.Model(first.input, first.get_layer("features").output)(larger)
    received = keras.Model(second.input, second.get_layer("features").output)(images)
    np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-5)


def flattened():
    return keras.Sequential(
        [keras.Input(SHAPE), layers.Flatten(), layers.Dense(4), layers.ReLU(), layers.Dense(2)]
    )


def test_a_network_bound_to_one_size_needs_the_side(file):
    path = file(flattened())
    with pytest.raises(UserError, match=r"model\.side resizes them.*of \(24, 24, 3\)$") as caught:
        backbones.build(path, (24, 24, 3), pixels="unit")
    assert "\n" not in str(caught.value)
    model = untrained(path, (24, 24, 3), None, None, pixels="unit", side=12)
    assert model.output.shape == (None, 4)


def two_inputs():
    ends = [keras.Input(SHAPE), keras.Input(SHAPE)]
    return keras.Model(ends, layers.Flatten()(layers.Add()(ends)))


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (
            HEADS["softmax"],
            {"layer": "featurs"},
            r"\(did you mean features\?\)\. Received: model\.",
        ),
        (lambda: keras.Sequential([*trunk(), layers.Softmax()]), {}, "name of a layer"),
        (two_inputs, {}, "Received: 2 inputs, 1 outputs"),
        (lambda: keras.Sequential([keras.Input(SHAPE), layers.Lambda(abs)]), {}, "own layers"),
        (
            lambda: keras.Sequential([keras.Input(SHAPE), layers.Reshape((144, 3))]),
            {},
            r"output \(None, 144, 3\)",
        ),
    ],
    ids=["layer", "no head", "inputs", "lambda", "tokens"],
)
def test_what_does_not_fit_is_told_in_one_line(network, options, message, file):
    with pytest.raises(UserError, match=message) as caught:
        backbones.build(file(network()), SHAPE, pixels="raw", **options)
    assert str(caught.value).count("Received") == 1
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["missing", "text", "cut"])
def test_a_file_that_cannot_be_opened_is_told_in_one_line(damage, file, tmp_path):
    path = file(HEADS["softmax"]())
    contents = {"text": b"no model", "cut": (tmp_path / "network.keras").read_bytes()[:2000]}
    if damage == "missing":
        path = str(tmp_path / "other.keras")
    else:
        (tmp_path / "network.keras").write_bytes(contents[damage])
    with pytest.raises(UserError, match=r"expected a file of a Keras model") as caught:
        backbones.build(path, SHAPE, pixels="raw")
    assert str(caught.value).endswith(f"Received: model.backbone={path}")
    assert "\n" not in str(caught.value)
