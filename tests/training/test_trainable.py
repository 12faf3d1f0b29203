"""`trainable` of a recipe: what stays as it is, and heads that are trained on features."""

import numpy as np
import pytest
from tiny_tasks import images_of

from tfcil import classifier
from tfcil.errors import UserError
from tfcil.learning.settings import Settings
from tfcil.learning.task import train_task

RECIPE = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01, "weight_decay": 5e-4}


@pytest.fixture(scope="module")
def start():
    images, _ = images_of(0, 4, exemplars=0)
    return classifier.untrained("resnet20", images.shape[1:], [127.0], [60.0])


def learned(model, first, last, trainable, name="baseline", **recipe):
    values = {
        "budget": 20,
        "method": {"name": name, "loss": "bsce" if name == "baseline" else "ce"},
        "recipe": RECIPE | {"trainable": trainable} | recipe,
    }
    chosen = Settings.of(values, "settings").of_task(not classifier.num_classes(model))
    images, labels = images_of(first, last)
    return train_task(lambda: model, images, labels, chosen)


def changed(before, after):
    """Names of the layers whose weights differ, batch statistics included."""
    old = {layer.name: layer.get_weights() for layer in before.layers}
    return [
        layer.name
        for layer in after.layers
        if layer.name in old
        and any(
            one.shape == other.shape and not np.array_equal(one, other)
            for one, other in zip(old[layer.name], layer.get_weights(), strict=True)
        )
    ]


def test_the_last_block_alone_is_trained(start):
    model = learned(start, 0, 4, 1).model
    assert set(changed(start, model)) == {
        layer.name for layer in start.layers if layer.weights and "stage3_block3" in layer.name
    }
    assert not classifier.is_frozen(model)


@pytest.mark.parametrize("flip", [False, True])
def test_with_head_the_network_stays_to_the_bit(start, flip):
    """Trained on features, or, where images vary, through the network."""
    first = learned(start, 0, 4, "head", flip=flip).model
    second = learned(first, 4, 7, "head", flip=flip).model
    assert changed(start, first) == changed(start, second) == []
    assert classifier.is_frozen(second)
    assert classifier.num_classes(second) == 7


def test_a_head_trained_on_features_is_the_one_trained_through_the_network(start):
    """Resizing to the same side changes nothing, but images then pass through the network."""
    on_features = learned(start, 0, 4, "head")
    through = learned(start, 0, 4, "head", sides=[28])
    for row, other in zip(on_features.curve, through.curve, strict=True):
        assert row["loss"] == pytest.approx(other["loss"], rel=1e-4)
    heads = [one.model.get_layer("logits").get_weights() for one in (on_features, through)]
    for one, other in zip(*heads, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_a_method_that_adds_a_network_refuses_a_part(start):
    first = learned(start, 0, 4, "all").model
    with pytest.raises(UserError, match=r"^trainable: expected all with a method that adds a netw"):
        learned(first, 4, 7, "head", name="der")
