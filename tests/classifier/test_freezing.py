"""Which part of a network is trained, and heads that are given instead of trained."""

import keras
import numpy as np
import pytest

from tfcil import classifier
from tfcil.errors import UserError


@pytest.fixture(scope="module")
def model():
    """A network with a stem, three blocks, a layer behind them, features and a head."""
    x = image = keras.Input((8, 8, 3))
    for name in (
        "stem_conv",
        "block1a_conv",
        "block1a_other",
        "block1b_conv",
        "block2a_conv",
        "top",
    ):
        x = keras.layers.Conv2D(4, 3, padding="same", name=name)(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return keras.Model(image, keras.layers.Dense(5, name="logits")(x))


def trained(model, part):
    is_trained = classifier.trainable_layers(model, part)
    return [layer.name for layer in model.layers if layer.weights and is_trained(layer)]


def test_all_layers_are_trained_by_default(model):
    assert classifier.trainable_layers(model, "all") is None


def test_the_head_is_what_follows_the_features(model):
    assert trained(model, "head") == ["logits"]


def test_the_last_blocks_come_with_the_layers_behind_them(model):
    assert trained(model, 1) == ["block2a_conv", "top", "logits"]
    assert trained(model, 2) == ["block1b_conv", "block2a_conv", "top", "logits"]
    assert trained(model, 3)[:2] == ["block1a_conv", "block1a_other"]


@pytest.mark.parametrize(
    ("backbone", "blocks", "last"),
    [("resnet32", 15, "stage3_block5"), ("efficientnet_lite0", 16, "block7a")],
)
def test_blocks_of_networks(backbone, blocks, last):
    network = classifier.untrained(backbone, (32, 32, 3), [127.0] * 3, [60.0] * 3)
    weighted = [layer.name for layer in network.layers if layer.weights]
    of_last = [name for name in trained(network, 1) if name.startswith(last)]
    assert of_last == [name for name in weighted if name.startswith(last)] != []
    assert len(trained(network, blocks)) < len(weighted)  # the stem belongs to no block
    with pytest.raises(UserError, match=rf"the network's {blocks} blocks. Received: trainable=99$"):
        classifier.trainable_layers(network, 99)


def test_a_frozen_copy_shares_nothing(model):
    copy = classifier.frozen(model)
    assert classifier.is_frozen(copy)
    assert not classifier.is_frozen(model)
    assert copy.get_layer("logits").trainable
    assert all(one is not other for one, other in zip(copy.layers, model.layers, strict=True))


def test_a_given_head_is_computed_by_hand(model):
    generator = np.random.default_rng(0)
    projection, kernel, bias = (generator.normal(size=size) for size in ((4, 7), (7, 2), 2))
    images = generator.uniform(0, 255, (3, 8, 8, 3)).astype("float32")
    features = classifier.features_of(model, images).astype("float64")
    for matrix, hidden in ((None, features), (projection, np.maximum(features @ projection, 0))):
        weights = kernel[: hidden.shape[1]]
        changed = classifier.with_head(model, weights, bias, matrix)
        np.testing.assert_allclose(
            changed.predict(images, verbose=0), hidden @ weights + bias, rtol=1e-3
        )
        found = classifier.projection_of(changed)
        assert found is None if matrix is None else np.allclose(found, matrix)
