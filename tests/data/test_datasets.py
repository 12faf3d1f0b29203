"""The embedded data set, and images brought to one shape."""

import numpy as np
import pytest

from tfcil.data import load_dataset
from tfcil.data.datasets import images_of_one_shape
from tfcil.errors import UserError
from tfcil.params import Dataset


def test_omniglot100_has_the_numbers_it_is_known_for():
    """100 characters, 2 of each of 50 alphabets; 15 drawers to learn from and 5 to evaluate on."""
    dataset = load_dataset(Dataset(name="omniglot100"))
    assert dataset.train_images.shape == (1500, 28, 28, 1)
    assert dataset.test_images.shape == (500, 28, 28, 1)
    assert dataset.train_images.dtype == dataset.test_images.dtype == np.uint8
    assert dataset.train_labels.dtype == dataset.test_labels.dtype == np.int64
    assert np.bincount(dataset.train_labels).tolist() == [15] * 100
    assert np.bincount(dataset.test_labels).tolist() == [5] * 100
    assert len(set(dataset.class_names)) == 100
    alphabets = [name.rsplit("/", 1)[0] for name in dataset.class_names]
    assert {alphabets.count(one) for one in set(alphabets)} == {2}


def test_omniglot100_is_white_ink_on_black():
    dataset = load_dataset(Dataset(name="omniglot100"))
    for images in (dataset.train_images, dataset.test_images):
        assert images.max(axis=(1, 2, 3)).min() > 100
        assert images.mean() < 30


def test_images_of_one_shape_stay_as_they_are():
    images = [np.full((2, 3, 1), value, "uint8") for value in range(4)]
    np.testing.assert_array_equal(images_of_one_shape(images, None, "mine"), np.stack(images))


def test_images_of_several_shapes_need_a_size():
    images = [np.zeros(shape, "uint8") for shape in ((2, 3, 1), (3, 2, 1), (2, 3, 1))]
    with pytest.raises(UserError, match="mine has images of 2 different shapes") as told:
        images_of_one_shape(images, None, "mine")
    assert str(told.value).startswith("dataset.image_size: ")
    assert str(told.value).endswith("Received: dataset.image_size=None")


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_resized_to_squares_of_uint8(channels):
    """What lies left stays left, each channel keeps its own value, and single colours stay."""
    colours = np.arange(1, channels + 1, dtype="uint8") * 50
    wide, tall = np.zeros((4, 16, channels), "uint8"), np.zeros((16, 4, channels), "uint8")
    wide[:, :8], tall[:] = colours, colours
    resized = images_of_one_shape([wide, tall], 8, "mine")
    assert resized.shape == (2, 8, 8, channels)
    assert resized.dtype == np.uint8
    np.testing.assert_array_equal(resized[0, :, :3], np.broadcast_to(colours, (8, 3, channels)))
    np.testing.assert_array_equal(resized[0, :, 5:], 0)
    np.testing.assert_array_equal(resized[1], np.broadcast_to(colours, (8, 8, channels)))
