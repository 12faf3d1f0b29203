"""Features of a frozen network are computed once, and are the same bytes, kept or not."""

import numpy as np
import pytest

from tfcil import classifier
from tfcil.classifier import feature_cache


@pytest.fixture(scope="module")
def model():
    return classifier.frozen(classifier.untrained("resnet20", (32, 32, 3), [127.0] * 3, [60.0] * 3))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype="uint8")


def test_kept_or_not_the_bytes_are_the_same(model, images, tmp_path, capsys):
    """Whatever came before: other images in the batch, another order, an image twice."""
    expected = classifier.features_of(model, images)
    cache = classifier.FeatureCache(tmp_path)
    some = [3, 17, 3, 0]
    assert np.array_equal(cache(model, images[some]), expected[some])
    assert capsys.readouterr().err == "features of 3 of 3 images: the network is new to the cache\n"
    assert np.array_equal(cache(model, images), expected)
    assert capsys.readouterr().err == "features of 17 of 20 images: new to the cache\n"
    again = classifier.FeatureCache(tmp_path)(model, images[::-1])
    assert np.array_equal(again, expected[::-1])
    assert capsys.readouterr().err == ""


def test_another_network_or_type_of_image_is_not_mistaken(model, images, tmp_path):
    cache = classifier.FeatureCache(tmp_path)
    cache(model, images)
    other = classifier.frozen(model)
    weight = next(one for one in other.weights if one.name == "kernel")
    weight.assign(weight.numpy() * 2)
    assert np.array_equal(cache(other, images), classifier.features_of(other, images))
    assert len(list(tmp_path.iterdir())) == 2
    cache(model, images.astype("float32"))
    assert len(list(tmp_path.glob("*/*.npz"))) == 3


def test_nothing_is_kept_of_a_network_that_is_trained(images, tmp_path):
    model = classifier.untrained("simple_cnn", (32, 32, 3), [127.0] * 3, [60.0] * 3)
    found = classifier.FeatureCache(tmp_path)(model, images)
    assert np.array_equal(found, classifier.features_of(model, images))
    assert not list(tmp_path.iterdir())


def test_logits_of_kept_features_are_those_of_the_model(model, images, tmp_path):
    generator = np.random.default_rng(1)
    whole = classifier.with_head(model, generator.normal(size=(64, 3)), np.ones(3))
    found = classifier.FeatureCache(tmp_path).outputs(whole, images)
    np.testing.assert_allclose(found["logits"], whole.predict(images, verbose=0), rtol=1e-4)
    assert np.array_equal(found["features"], classifier.features_of(model, images))


def test_what_was_kept_before_a_kill_is_not_computed_again(model, tmp_path, monkeypatch, capsys):
    """Files of 250 images; the process is stopped when it writes the second one."""
    images = np.random.default_rng(1).integers(0, 256, (300, 32, 32, 3), "uint8")
    save, calls = feature_cache.save_npz, []

    def stopped(*arguments, **arrays):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        save(*arguments, **arrays)

    monkeypatch.setattr(feature_cache, "TOGETHER", 250)
    monkeypatch.setattr(feature_cache, "save_npz", stopped)
    cache = classifier.FeatureCache(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        cache(model, images)
    capsys.readouterr()
    assert np.array_equal(cache(model, images), classifier.features_of(model, images))
    assert capsys.readouterr().err == "features of 50 of 300 images: new to the cache\n"
