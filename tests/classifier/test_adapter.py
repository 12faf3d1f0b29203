"""The adapter of a network: nothing at first, then factors that a context decides."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tfcil import classifier
from tfcil.errors import UserError
from tfcil.layers import ContextualScale

STATISTICS = [127.0] * 3, [60.0] * 3


def network(adapter="case", backbone="resnet20", **options):
    return classifier.untrained(backbone, (16, 16, 3), *STATISTICS, adapter=adapter, **options)


@pytest.fixture(scope="module")
def images():
    """Ten images of each of three classes, of one brightness each."""
    noise = np.random.default_rng(0).integers(0, 90, (30, 16, 16, 3))
    return (noise + 80 * np.repeat(np.arange(3), 10)[:, None, None, None]).astype("uint8")


@pytest.fixture(scope="module")
def trained():
    """A network whose adapter does something: drawn weights where the factors were 1."""
    model = classifier.adapter_in_training(network())
    generator = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, ContextualScale):
            *others, kernel, bias = layer.get_weights()
            layer.set_weights([*others, generator.normal(size=kernel.shape), bias])
    return model


def outputs(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_fresh_adapter_changes_no_bit(images, precision):
    expected = outputs(network(None, precision=precision), images)
    start = network(precision=precision)
    assert_array_equal(outputs(start, images), expected)
    assert_array_equal(outputs(classifier.adapter_in_training(start), images), expected)


@pytest.mark.parametrize(
    ("backbone", "places"),
    [("resnet20", "stage1_block1_output"), ("efficientnet_lite0", "block1a_activation")],
)
def test_factors_follow_the_last_activation_of_each_block(backbone, places):
    start = classifier.untrained(backbone, (32, 32, 3), *STATISTICS, adapter="case")
    layers = classifier.adapter_of(start)
    assert len(layers) == {"resnet20": 9, "efficientnet_lite0": 16}[backbone]
    assert layers[0]._inbound_nodes[0].input_tensors[0]._keras_history.operation.name == places
    assert {type(layer) for layer in layers} == {keras.layers.DepthwiseConv2D}


def test_a_network_without_named_blocks_is_refused():
    with pytest.raises(UserError, match=r"^model.adapter: expected a network with layers named"):
        network(backbone="simple_cnn")


def test_saved_it_gives_for_its_context_what_it_gave_in_training(trained, images, tmp_path):
    """Opened with Keras alone, as layers of Keras alone."""
    saved = classifier.trained_adapter(trained, images)
    assert np.abs(outputs(saved, images) - outputs(network(), images)).max() > 0.01
    assert_allclose(outputs(saved, images), outputs(trained, images), rtol=1e-5, atol=1e-5)
    classifier.save_classifier(saved, tmp_path / "saved.keras")
    opened = keras.models.load_model(tmp_path / "saved.keras")
    assert {type(layer).__module__.split(".")[0] for layer in opened.layers} == {"keras"}
    assert_allclose(outputs(opened, images), outputs(saved, images), atol=1e-6)


def test_in_use_an_image_does_not_depend_on_the_others(trained, images):
    saved = classifier.trained_adapter(trained, images)
    assert_allclose(outputs(saved, images[:1]), outputs(saved, images)[:1], rtol=1e-5, atol=1e-6)


def test_two_contexts_give_two_models_with_their_own_features(trained, images, tmp_path):
    """The cache of features does not mistake one for the other."""
    dark, light = (
        classifier.frozen(classifier.trained_adapter(trained, some))
        for some in (images[:10], images[20:])
    )
    cache = classifier.FeatureCache(tmp_path)
    features = [cache(one, images) for one in (dark, light)]
    assert len(list(tmp_path.iterdir())) == 2
    assert np.abs(features[0] - features[1]).max() > 1e-3
    for one, found in zip((dark, light), features, strict=True):
        assert_array_equal(found, classifier.features_of(one, images))


def test_the_order_of_the_images_does_not_change_a_byte_of_the_file(trained, images, tmp_path):
    labels = np.repeat(np.arange(3), 10)
    for name, order in (("a", np.arange(30)), ("b", np.random.default_rng(3).permutation(30))):
        chosen = classifier.context_of(images[order], labels[order])
        saved = classifier.trained_adapter(trained, images[order][chosen])
        classifier.save_classifier(saved, tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_a_context_has_as_many_images_of_each_class(images):
    """A class with fewer repeats its own; a large one gives 500 over the number of classes."""
    labels = np.array([0] * 20 + [1] * 8 + [2] * 2)
    chosen = classifier.context_of(images, labels)
    assert np.bincount(labels[chosen]).tolist() == [20, 20, 20]
    assert set(chosen) == set(range(30))
    many = np.random.default_rng(0).integers(0, 256, (900, 2, 2, 1), dtype="uint8")
    chosen = classifier.context_of(many, np.repeat([0, 1], [300, 600]))
    assert len(chosen) == len(set(chosen)) == 500
    assert (chosen < 300).sum() == 250
