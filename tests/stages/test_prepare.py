"""Stage prepare: each image reaches the file of its task, and few are in memory at a time."""

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from tfcil.data.splits import Dataset, Split
from tfcil.errors import UserError
from tfcil.params import Params
from tfcil.stages.layout import Layout
from tfcil.stages.prepare import prepare

NAMES = ("ant", "bee", "cat", "dog")


def params(dataset, *classes):
    keys = [f"{index:02}" for index in range(len(classes))]
    return Params.of(
        {
            "memory": 0,
            "dataset": dataset,
            "scenario": {"order": [2, 0, 3, 1]},
            "tasks": {
                key: {"classes": count, "after": after, "recipe": "base"}
                for key, after, count in zip(keys, ["start", *keys], classes, strict=False)
            },
            "method": {"name": "finetune"},
            "base": {"epochs": 1},
            "increment": {"epochs": 1},
        },
        "params",
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images of 4 classes; the value of a pixel is 10 times the label, plus the image's number."""
    for part, count in {"train": 3, "test": 2}.items():
        for label, name in enumerate(NAMES):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (4, 3), (10 * label + number,) * 3)
                image.save(tmp_path / "images" / part / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


FOLDER = {"name": "image_folder", "path": "images"}


def test_images_of_a_folder_reach_the_files_of_their_tasks(folder):
    layout = Layout.of(folder)
    prepare(layout, params(FOLDER, 1, 2))
    expected = {"00": ([0], [20]), "01": ([1, 2], [0, 30])}  # by the order: cat, ant, dog, bee
    for task, (ranks, values) in expected.items():
        for path, count in ((layout.train_images(task), 3), (layout.test_images(task), 2)):
            images, labels = np.load(path / "images.npy"), np.load(path / "labels.npy")
            assert (images.dtype, images.shape) == (np.uint8, (count * len(ranks), 3, 4, 3))
            assert labels.tolist() == np.repeat(ranks, count).tolist()
            pixels = np.add.outer(values, range(count)).ravel()
            np.testing.assert_array_equal(
                images, np.broadcast_to(pixels, (3, 4, 3, len(pixels))).T.reshape(images.shape)
            )
    assert json.loads((layout.train_images("01") / "task.json").read_text()) == {
        "classes": ["cat", "ant", "dog"]
    }
    stored = json.loads(layout.image_format.read_text())
    assert stored == {"shape": [3, 4, 3], "mean": [21.0] * 3, "std": [1.0] * 3}


def test_a_class_without_images_to_evaluate_on_is_told(folder, monkeypatch):
    """Splits of tensorflow-datasets may be cut anywhere: test[:50%]."""
    some, all_ = (Split(np.array(labels), None) for labels in ([0, 1, 1, 3], [0, 1, 2, 3]))
    dataset = Dataset(all_, some, NAMES)
    monkeypatch.setattr("tfcil.stages.prepare.open_dataset", lambda *_: dataset)
    with pytest.raises(UserError, match="images of every class in both splits") as error:
        prepare(Layout.of(folder), params({"name": "mine"}, 2))
    assert str(error.value).endswith("Received: none of cat in the test split of mine")


def test_test_images_have_the_shape_of_the_others(folder):
    for file in (folder / "images" / "test").rglob("*.png"):
        Image.new("RGB", (5, 3)).save(file)
    with pytest.raises(UserError, match=r"shapes \(3, 4, 3\) and \(3, 5, 3\)"):
        prepare(Layout.of(folder), params(FOLDER, 2))
    assert sorted(path.name for path in folder.iterdir()) == ["data", "images"]
    assert list((folder / "data").iterdir()) == []


def test_the_data_set_is_never_whole_in_memory(tmp_path, monkeypatch):
    """3,000 images of 12 KB; what is held at any time is a fraction of them."""
    labels = np.arange(3000) % 4

    def items(chosen):
        return (number for number in np.flatnonzero(chosen))

    def decode(number):
        return np.full((64, 64, 3), number % 251, "uint8")

    dataset = Dataset(Split(labels, items, decode), Split(labels[:40], items, decode), NAMES)
    monkeypatch.setattr("tfcil.stages.prepare.open_dataset", lambda *_: dataset)
    tracemalloc.start()
    prepare(Layout.of(tmp_path), params({"name": "mine"}, 2, 2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    images = np.load(tmp_path / "data" / "train" / "01" / "images.npy", mmap_mode="r")
    numbers = np.flatnonzero((labels == 1) | (labels == 3))
    np.testing.assert_array_equal(images[:, 5, 6, 1], numbers % 251)
    assert peak < 0.5 * 3000 * 64 * 64 * 3
