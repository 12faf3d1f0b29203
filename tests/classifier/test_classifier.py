"""The classifier file: the same bytes for the same model, one line for a damaged one."""

import time
import zipfile

import keras
import numpy as np
import pytest

from tfcil.classifier import (
    copied,
    expose,
    grown,
    open_classifier,
    save_classifier,
    untrained,
)
from tfcil.classifier.inference import forward
from tfcil.errors import UserError
from tfcil.layers.augmentation import resize


def classifier(backbone="simple_cnn", shape=(12, 12, 3), precision="float32"):
    mean, std = [100.0, 110.0, 120.0], [50.0, 60.0, 70.0]
    model = untrained(backbone, shape, mean, std, precision=precision, seed=3)
    return grown(model, 4, np.random.default_rng(0))


def images(count, shape=(12, 12, 3)):
    return np.random.default_rng(1).integers(0, 256, (count, *shape), dtype="uint8")


def test_equal_models_have_equal_bytes_at_any_time_and_address(tmp_path):
    save_classifier(classifier(), tmp_path / "1.keras")
    keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(4)])  # moves Keras's counters
    time.sleep(2.1)  # zip archives count time in steps of two seconds
    save_classifier(classifier(), tmp_path / "2.keras")
    save_classifier(open_classifier(tmp_path / "1.keras"), tmp_path / "3.keras")
    contents = (tmp_path / "1.keras").read_bytes()
    assert contents == (tmp_path / "2.keras").read_bytes()
    assert contents == (tmp_path / "3.keras").read_bytes()


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_saved_model_answers_as_before_and_holds_no_code(tmp_path, precision):
    model = classifier(precision=precision)
    save_classifier(model, tmp_path / "model.keras")
    again = open_classifier(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(images(3)), again(images(3)))
    config = zipfile.ZipFile(tmp_path / "model.keras").read("config.json").decode()
    assert "Lambda" not in config
    assert "tfcil" not in config


def test_first_layer_normalises_raw_images():
    model = classifier()
    normalised = expose(model, "normalisation")(images(2))["normalisation"]
    expected = (images(2) - np.array([100.0, 110.0, 120.0])) / [50.0, 60.0, 70.0]
    np.testing.assert_allclose(normalised, expected, atol=1e-5)


@pytest.mark.parametrize("damage", ["truncated", "foreign", "missing"])
def test_a_file_that_is_no_classifier_is_told_in_one_line(tmp_path, damage):
    path = tmp_path / "model.keras"
    if damage == "truncated":
        save_classifier(classifier(), path)
        path.write_bytes(path.read_bytes()[:5000])
    elif damage == "foreign":
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(UserError, match=r"model\.keras") as told:
        open_classifier(path)
    assert "\n" not in str(told.value)


def test_maps_are_found_again_by_their_names():
    maps = expose(classifier(), "maps", "features")(images(2))
    assert [one.shape[-1] for one in maps["maps"]] == [16, 32, 64, 128]
    assert maps["features"].shape == (2, 128)


def test_forward_gives_every_image_its_own_answer_in_uneven_batches():
    model = expose(classifier(), "logits", "features")
    whole = forward(model, images(7), batch_size=7)
    parts = forward(model, images(7), batch_size=3)
    assert whole["logits"].shape == (7, 4)
    for name in whole:
        np.testing.assert_allclose(whole[name], parts[name], atol=1e-5)
    assert forward(model, images(0))["logits"].shape == (0, 4)


@pytest.mark.parametrize(("side", "shape"), [(24, (24, 32)), (8, (8, 11))])
def test_a_model_with_a_side_resizes_its_images_itself(side, shape, tmp_path):
    """As the `resize` of training does; also in a copy and in a file that plain Keras opens."""
    options = {"weights": None, "seed": 3}
    model = untrained("simple_cnn", (12, 16, 3), [100.0] * 3, [50.0] * 3, side=side, **options)
    at_size = untrained("simple_cnn", (*shape, 3), [100.0] * 3, [50.0] * 3, **options)
    images = np.random.default_rng(0).uniform(0, 255, (4, 12, 16, 3)).astype("float32")
    expected = at_size(resize(images, side))
    save_classifier(model, tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, copied(model), loaded):
        np.testing.assert_allclose(one(images), expected, rtol=1e-5, atol=1e-6)


def test_a_model_with_a_side_predicts_unless_it_is_told_to_train():
    """A `Resizing` layer of Keras would set the layers after it to training."""
    model = untrained("simple_cnn", (12, 12, 3), [100.0] * 3, [50.0] * 3, side=16)
    images = np.random.default_rng(0).uniform(0, 255, (4, 12, 12, 3)).astype("float32")
    expected = np.array(model(images, training=False))
    np.testing.assert_array_equal(model(images), expected)
    assert np.abs(model(images, training=True) - expected).max() > 0.01
