"""The published ImageNet-Subset, and other choices of classes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from tfcil.data.classes import imagenet100_lucir, restrict
from tfcil.data.splits import OpenDataset, Split
from tfcil.errors import UserError
from tfcil.scenario import class_order


@pytest.fixture(scope="module")
def wnids():
    """The classes of ImageNet-1000 by label, as tensorflow-datasets has them."""
    found = importlib.util.find_spec("tensorflow_datasets")
    if found is None:
        pytest.skip("needs tensorflow-datasets")
    labels = Path(found.origin).parent / "datasets" / "imagenet2012" / "labels.txt"
    return labels.read_text().split()


def test_imagenet_subset_begins_with_the_published_classes(wnids):
    """PyCIL and FOSTER list them; theirs and LUCIR's are the same."""
    subset = imagenet100_lucir(wnids)
    assert len(set(subset)) == 100
    assert subset == sorted(subset)
    assert subset[:6] == [
        *("n01514668", "n01531178", "n01537544", "n01689811", "n01729322", "n01744401")
    ]


def test_imagenet_subset_is_the_first_hundred_of_the_published_order(wnids):
    order = class_order("lucir_1993", 1000)
    assert order[:10].tolist() == [54, 7, 894, 512, 126, 337, 988, 11, 284, 493]
    assert set(imagenet100_lucir(wnids)) == {wnids[label] for label in order[:100]}
    assert imagenet100_lucir(wnids[::-1]) == imagenet100_lucir(wnids)


@pytest.mark.parametrize("change", ["fewer", "other names"])
def test_imagenet_subset_is_not_drawn_from_another_set(wnids, change):
    names = wnids[:999] if change == "fewer" else ["tench", *wnids[1:]]
    with pytest.raises(UserError, match="imagenet100_lucir is drawn from the 1000 classes"):
        imagenet100_lucir(names)


def dataset():
    """Two images of each of four classes, whose pixels are 10 times the label; `b` is label 0."""
    train, test = np.array([0, 1, 2, 3, 3, 2, 1, 0]), np.array([3, 2, 1, 0])
    return OpenDataset(
        *(Split(labels, (labels * 10).__getitem__) for labels in (train, test)), tuple("badc")
    )


def test_labels_follow_the_sorted_names_and_images_their_labels():
    some = restrict(dataset(), ["d", "b"])
    assert some.class_names == ("b", "d")
    assert some.train.labels.tolist() == [0, 1, 1, 0]
    assert list(some.train.images()) == [0, 20, 20, 0]
    assert some.test.labels.tolist() == [1, 0]
    assert list(some.test.images(np.array([True, False]))) == [20]


@pytest.mark.parametrize(
    ("classes", "told"), [(["a", "e"], "'e'"), (["a", "a"], "'a'"), (["cat"], "'cat'")]
)
def test_names_must_be_known_and_stand_once(classes, told):
    with pytest.raises(UserError, match=r"^dataset\.classes: expected names of the") as error:
        restrict(dataset(), classes)
    assert str(error.value).endswith(f"Received: class name={told}")
