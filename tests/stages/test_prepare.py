"""Stage prepare: each image reaches the file of its task, and few are in memory at a time."""

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from tiny_params import tiny_params

from tfcil.config.params import Params, Scenario
from tfcil.data.splits import OpenDataset, Split
from tfcil.data.store import read_images
from tfcil.errors import UserError
from tfcil.stages.layout import Layout
from tfcil.stages.prepare import prepare

NAMES = ("ant", "bee", "cat", "dog")


def params(dataset, *classes, **more):
    sections = {"memory": 0, "scenario": {"order": [2, 0, 3, 1]}, "dataset": dataset}
    return Params.of(tiny_params(*classes, **(sections | more)), "params")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Images of 4 classes; the value of a pixel is 10 times the label, plus the image's number.

    Test images have the numbers from 5 on: no image is in both splits.
    """
    for part, numbers in {"train": range(3), "test": range(5, 7)}.items():
        for label, name in enumerate(NAMES):
            (tmp_path / "images" / part / name).mkdir(parents=True)
            for number in numbers:
                image = Image.new("RGB", (4, 3), (10 * label + number,) * 3)
                image.save(tmp_path / "images" / part / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


FOLDER = {"name": "folder", "path": "images"}


def test_images_of_a_folder_reach_the_files_of_their_tasks(folder):
    layout = Layout.of(folder)
    prepare(layout, params(FOLDER, 1, 2))
    expected = {"00": ([0], [20]), "01": ([1, 2], [0, 30])}  # by the order: cat, ant, dog, bee
    for task, (ranks, values) in expected.items():
        for path, numbers in (
            (layout.train_images(task), range(3)),
            (layout.test_images(task), range(5, 7)),
        ):
            images, labels = np.load(path / "images.npy"), np.load(path / "labels.npy")
            assert (images.dtype, images.shape) == (np.uint8, (len(numbers) * len(ranks), 3, 4, 3))
            assert labels.tolist() == np.repeat(ranks, len(numbers)).tolist()
            pixels = np.add.outer(values, numbers).ravel()
            np.testing.assert_array_equal(
                images, np.broadcast_to(pixels, (3, 4, 3, len(pixels))).T.reshape(images.shape)
            )
    assert json.loads((layout.train_images("01") / "task.json").read_text()) == {
        "classes": ["cat", "ant", "dog"],
        "resize": "stretch",
    }
    stored = json.loads(layout.image_format.read_text())
    assert stored == {"shape": [3, 4, 3], "mean": [21.0] * 3, "std": [1.0] * 3}


def test_a_class_without_images_to_evaluate_on_is_told(folder, monkeypatch):
    """Splits of tensorflow-datasets may be cut anywhere: test[:50%]."""
    some, all_ = (Split(np.array(labels), None) for labels in ([0, 1, 1, 3], [0, 1, 2, 3]))
    dataset = OpenDataset(all_, some, NAMES)
    monkeypatch.setattr("tfcil.stages.prepare.open_dataset", lambda *_: dataset)
    with pytest.raises(UserError, match="images of every class in both splits") as error:
        prepare(Layout.of(folder), params({"name": "mine"}, 2))
    assert str(error.value).endswith("Received: none of cat in the test split of mine")


@pytest.mark.parametrize("listed", [False, True])
def test_no_original_image_is_removed(folder, listed):
    """Images in data/train, given as a folder, or in a CSV file elsewhere by links to them."""
    (folder / "data").mkdir()
    (folder / "images").rename(folder / "data" / "train")
    path = "data/train"
    if listed:
        (folder / "link.png").symlink_to("data/train/train/cat/0.png")
        (folder / "labels.csv").write_text("path,label\nlink.png,cat\n")
        path = "labels.csv"
    before = sorted(folder.rglob("*"))
    with pytest.raises(UserError, match=r"expected images apart from .*data/train, .*data/raw"):
        prepare(Layout.of(folder), params(FOLDER | {"path": path}, 2))
    assert sorted(folder.rglob("*")) == before


def test_test_images_have_the_shape_of_the_others(folder):
    for number, file in enumerate((folder / "images" / "test").rglob("*.png")):
        Image.new("RGB", (5, 3), (100 + number,) * 3).save(file)
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

    dataset = OpenDataset(Split(labels, items, decode), Split(labels[:40], items, decode), NAMES)
    monkeypatch.setattr("tfcil.stages.prepare.open_dataset", lambda *_: dataset)
    tracemalloc.start()
    prepare(Layout.of(tmp_path), params({"name": "mine"}, 2, 2))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    images = np.load(tmp_path / "data" / "train" / "01" / "images.npy", mmap_mode="r")
    numbers = np.flatnonzero((labels == 1) | (labels == 3))
    np.testing.assert_array_equal(images[:, 5, 6, 1], numbers % 251)
    assert peak < 0.5 * 3000 * 64 * 64 * 3


def manifest(layout, task):
    return json.loads(layout.seen(task).read_text())


def test_without_validation_the_test_images_are_evaluated_on(folder):
    layout = Layout.of(folder)
    prepare(layout, params(FOLDER, 1, 2))
    assert manifest(layout, "01")["split"] == "test"
    assert [one["images"] for one in manifest(layout, "01")["seen"]] == [2, 4]
    assert layout.skipped.read_text() == "path,class,reason\n"


def numbered(count):
    """A set in which each image is its number, in an order that mixes the classes."""
    labels = np.arange(count) % 4

    def items(chosen):
        return (number for number in np.flatnonzero(chosen))

    def decode(number):
        return np.full((2, 3, 3), [number % 256, number // 256, 7], "uint8")

    def unread(chosen):
        raise AssertionError("the test images are not looked at")

    return OpenDataset(Split(labels, items, decode), Split(labels[:40], unread), NAMES)


def stored_numbers(folder):
    images, labels = np.load(folder / "images.npy"), np.load(folder / "labels.npy")
    return (images[:, 0, 0, 0] + 256 * images[:, 0, 0, 1].astype(int)).tolist(), labels


def prepared(tmp_path, monkeypatch, count, fraction=0.1, **more):
    monkeypatch.setattr("tfcil.stages.prepare.open_dataset", lambda *_: numbered(count))
    layout = Layout.of(tmp_path)
    prepare(layout, params({"name": "mine"}, 2, 2, validation=fraction, **more))
    return layout


def test_validation_images_take_the_place_of_the_test_images(tmp_path, monkeypatch):
    layout = prepared(tmp_path, monkeypatch, 2000)
    for task, classes in (("00", (2, 0)), ("01", (3, 1))):
        kept, kept_labels = stored_numbers(layout.train_images(task))
        held, held_labels = stored_numbers(layout.test_images(task))
        assert sorted([*kept, *held]) == [n for n in range(2000) if n % 4 in classes]
        assert kept == sorted(kept)
        assert held == sorted(held)
        ranks = dict(zip((2, 0, 3, 1), range(4), strict=True))
        assert kept_labels.tolist() == [ranks[n % 4] for n in kept]
        assert held_labels.tolist() == [ranks[n % 4] for n in held]
        # 100 expected of 1,000, deviation below 10
        assert 60 < len(held) < 140
    assert manifest(layout, "01")["split"] == manifest(layout, "00")["split"] == "validation"
    for one in manifest(layout, "01")["seen"]:
        images, labels = read_images(layout.test_images(one["task"]), one["digest"])
        assert one["images"] == len(images) == len(labels)


def test_more_images_and_another_seed_move_no_validation_image(tmp_path, monkeypatch):
    held = {}
    for count, seed in ((2000, 1), (3000, 2)):
        layout = prepared(tmp_path / str(count), monkeypatch, count, seed=seed)
        held[count] = {
            n for task in ("00", "01") for n in stored_numbers(layout.test_images(task))[0]
        }
    assert {n for n in held[3000] if n < 2000} == held[2000]


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_every_class_keeps_an_image_and_holds_one_out(tmp_path, monkeypatch, fraction):
    layout = prepared(tmp_path, monkeypatch, 80, fraction)
    for task, ranks in (("00", [0, 1]), ("01", [2, 3])):
        few, many = layout.test_images(task), layout.train_images(task)
        if fraction > 0.5:
            few, many = many, few
        assert stored_numbers(few)[1].tolist().count(ranks[0]) == 1
        assert sorted(stored_numbers(few)[1].tolist()) == ranks
        assert len(stored_numbers(many)[0]) == 38


def test_a_class_with_one_training_image_cannot_be_validated(tmp_path, monkeypatch):
    with pytest.raises(UserError) as error:
        prepared(tmp_path, monkeypatch, 7)
    assert str(error.value) == (
        "validation: expected two different training images of each class at least, one of them "
        "to hold out; dog has one. Received: validation=0.1"
    )
    assert list((tmp_path / "data").iterdir()) == []


def test_validation_of_a_folder_needs_no_test_images_of_its_shape(folder):
    """They are checked with the others, and not stored."""
    for number, file in enumerate(sorted((folder / "images" / "test").rglob("*.png"))):
        Image.new("RGB", (5, 3), (100 + number,) * 3).save(file)
    layout = Layout.of(folder)
    prepare(layout, params(FOLDER, 1, 2, validation=0.3))
    images = np.load(layout.test_images("01") / "images.npy")
    assert images.shape[1:] == (3, 4, 3)
    assert images.max() < 100


def test_validation_of_the_embedded_set(tmp_path):
    layout = Layout.of(tmp_path)
    base = params({"name": "omniglot100"}, 3, validation=0.2)
    prepare(layout, base.model_copy(update={"scenario": Scenario()}))
    train, test = (read_images(path("00"))[1] for path in (layout.train_images, layout.test_images))
    assert len(train) + len(test) == 45
    assert set(train.tolist()) == set(test.tolist()) == {0, 1, 2}


def test_what_is_left_out_is_listed_and_counted(folder, capsys):
    (folder / "images" / "train" / "ant" / "0.png").write_bytes(b"")
    dog = folder / "images" / "train" / "dog" / "with, comma.png"
    dog.write_text("text")
    layout = Layout.of(folder)
    with pytest.raises(UserError, match="2 cannot"):
        prepare(layout, params(FOLDER, 1, 2))
    assert not (folder / "data").exists()
    prepare(layout, params(FOLDER | {"on_bad_image": "skip"}, 1, 2))
    assert layout.skipped.read_text() == (
        "path,class,reason\n"
        "images/train/ant/0.png,ant,empty file\n"
        '"images/train/dog/with, comma.png",dog,"no BMP, GIF, JPEG, PNG or WEBP image"\n'
    )
    assert capsys.readouterr().err == f"2 images were left out: {layout.skipped} lists them\n"


def test_a_class_that_no_task_uses_is_not_looked_at_and_a_wrong_name_is_told_first(folder):
    (folder / "images" / "train" / "bee" / "0.png").write_bytes(b"")
    prepare(Layout.of(folder), params(FOLDER, 1, 2))
    (folder / "images" / "train" / "cat" / "0.png").write_bytes(b"")
    spec = {"00": {"classes": ["ct"], "after": "start", "recipe": "base"}}
    with pytest.raises(UserError, match=r"did you mean cat\?.*Received: class name='ct'"):
        prepare(Layout.of(folder), params(FOLDER, tasks=spec))


def test_a_bar_is_drawn_on_a_terminal_alone(folder, monkeypatch, capsys):
    prepare(Layout.of(folder), params(FOLDER, 1))
    assert capsys.readouterr() == ("", "")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    prepare(Layout.of(folder), params(FOLDER, 1))
    printed = capsys.readouterr()
    assert printed.out == ""
    for title in ("checking", "storing"):
        assert title in printed.err
