"""The embedded data set, in memory and as a stream."""

import numpy as np
import pytest

from tfcil.config.params import Dataset
from tfcil.data import load_dataset, open_dataset
from tfcil.errors import UserError


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


def test_a_stream_gives_the_chosen_images_of_what_is_loaded():
    loaded = load_dataset(Dataset(name="omniglot100"))
    stream = open_dataset(Dataset(name="omniglot100")).test
    chosen = loaded.test_labels % 7 == 3
    np.testing.assert_array_equal(np.stack(list(stream.images(chosen))), loaded.test_images[chosen])


def test_size_and_classes_are_those_of_the_settings():
    names = open_dataset(Dataset(name="omniglot100")).class_names
    wanted = [names[40], names[7]]
    dataset = load_dataset(Dataset(name="omniglot100", classes=wanted, image_size=12))
    assert dataset.class_names == tuple(sorted(wanted))
    assert dataset.train_images.shape == (30, 12, 12, 1)
    assert np.bincount(dataset.test_labels).tolist() == [5, 5]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": "folder"}, "dataset.name=folder, dataset.path=None"),
        ({"name": "cifar10", "path": "x"}, "dataset.name=cifar10, dataset.path=x"),
        ({"name": "cifar10", "resize": "crop"}, "dataset.image_size=None"),
        ({"name": "cifar10", "classes": "imagenet100"}, "dataset.classes=imagenet100"),
        ({"name": "cifar10", "classes": []}, "dataset.classes=[]"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings, told):
    with pytest.raises(UserError) as error:
        Dataset.of(settings, "dataset")
    assert str(error.value).endswith(f"Received: {told}")
