"""A folder of images, as people have them, is a data set; every mistake is told in one line."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfcil.data import load_dataset, open_dataset
from tfcil.errors import UserError
from tfcil.params import Dataset


def write(file, value, size=(4, 4)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(file)


@pytest.fixture
def pets(tmp_path):
    """Three dogs, one of them in a folder of its own, and two cats; one of each to evaluate on."""
    folder = tmp_path / "pets"
    for name, value in {"b.png": 20, "a.PNG": 10, "big/c.png": 30}.items():
        write(folder / "train" / "dog" / name, value)
    for name, value in {"2.png": 2, "1.png": 1}.items():
        write(folder / "train" / "cat" / name, value)
    write(folder / "test" / "cat" / "3.png", 3)
    write(folder / "test" / "dog" / "d.png", 40)
    return folder


def settings(folder, **more):
    return Dataset(name="image_folder", path=str(folder), **more)


def test_classes_and_images_are_sorted_by_name(pets):
    dataset = load_dataset(settings(pets))
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train_labels.tolist() == [0, 0, 1, 1, 1]
    assert dataset.train_labels.dtype == np.int64
    assert dataset.train_images.shape == (5, 4, 4, 3)
    assert dataset.train_images[:, 0, 0, 0].tolist() == [1, 2, 10, 20, 30]
    assert dataset.test_labels.tolist() == [0, 1]
    assert dataset.test_images[:, 0, 0, 0].tolist() == [3, 40]


def test_what_is_hidden_or_no_image_by_its_name_is_left_out(pets):
    for name in (".DS_Store", "dog/.a.png", "dog/.thumbs/a.png", "dog/notes.txt", ".x/a.png"):
        file = pets / "train" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("no image")
    assert load_dataset(settings(pets)).train_labels.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("name", ["val", "validation"])
def test_other_names_of_the_split_to_evaluate_on(pets, name):
    (pets / "test").rename(pets / name)
    assert load_dataset(settings(pets)).test_labels.tolist() == [0, 1]
    assert load_dataset(settings(pets, test_split=name)).test_labels.tolist() == [0, 1]


def test_a_relative_path_begins_at_the_current_folder(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    assert open_dataset(settings("pets")).class_names == ("cat", "dog")


def test_images_of_several_sizes_are_resized(pets):
    write(pets / "train" / "cat" / "3.png", 9, (6, 9))
    assert load_dataset(settings(pets, image_size=5)).train_images.shape == (6, 5, 5, 3)


def test_images_are_read_when_they_are_asked_for(pets):
    dataset = open_dataset(settings(pets))
    shutil.rmtree(pets / "train" / "cat")
    dogs = list(dataset.train.images(dataset.train.labels == 1))
    assert [image[0, 0, 0] for image in dogs] == [10, 20, 30]


def spoil(folder, mistake):
    if mistake == "no folder":
        shutil.rmtree(folder)
    elif mistake == "no train":
        shutil.rmtree(folder / "train")
    elif mistake == "no test":
        shutil.rmtree(folder / "test")
    elif mistake == "no class":
        shutil.rmtree(folder / "test")
        write(folder / "test" / "a.png", 1)
    elif mistake == "empty class":
        (folder / "train" / "dog" / "notes.txt").write_text("")
        for file in (folder / "train" / "dog").rglob("*.*"):
            file.unlink() if file.suffix.lower() == ".png" else None
    elif mistake == "class missing in test":
        shutil.rmtree(folder / "test" / "dog")
    elif mistake == "class missing in train":
        shutil.rmtree(folder / "train" / "cat")
    elif mistake == "damaged image":
        (folder / "train" / "dog" / "b.png").write_bytes(b"\x89PNG")
    elif mistake == "several sizes":
        write(folder / "train" / "cat" / "3.png", 9, (6, 9))


@pytest.mark.parametrize(
    ("mistake", "told", "received"),
    [
        ("no folder", "pets/train (dataset.train_split)", "dataset.path={folder}"),
        ("no train", "pets/train (dataset.train_split)", "dataset.path={folder}"),
        ("no test", "pets/test (dataset.test_split)", "dataset.path={folder}"),
        ("no class", "a folder for each class", "folder={folder}/test"),
        ("empty class", ".jpeg", "folder={folder}/train/dog"),
        ("class missing in test", "dog is in train and not in test", "dataset.path={folder}"),
        ("class missing in train", "cat is in test and not in train", "dataset.path={folder}"),
        ("damaged image", "images that can be read", "file={folder}/train/dog/b.png"),
        ("several sizes", "(4, 4, 3) and (9, 6, 3)", "dataset.image_size=None"),
    ],
)
def test_a_mistake_is_told_in_one_line_that_names_it(pets, mistake, told, received):
    spoil(pets, mistake)
    with pytest.raises(UserError) as error:
        load_dataset(settings(pets))
    message = str(error.value)
    assert message.startswith("dataset.")
    assert told in message
    assert message.endswith(f"Received: {received.format(folder=pets)}")
    assert "\n" not in message


def test_missing_pillow_is_told_with_what_to_install(pets, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install pillow"):
        open_dataset(settings(pets))


def test_tiny_imagenet_is_a_folder_of_its_own_jpeg_files(tmp_path):
    """The whole way of the real set: bytes to files, files to images, grey ones as well."""
    root = Path(__file__).resolve().parents[2]
    source = root.parent / "shared" / "data" / "tiny_imagenet_100"
    if not source.is_dir():
        pytest.skip(f"needs {source.relative_to(root.parent)}, which is not on this machine")
    sys.path.insert(0, str(root / "benchmarks"))
    try:
        from tiny_imagenet_folder import write as write_folder
    finally:
        sys.path.pop(0)
    for split, part in {"train": "train", "val": "test"}.items():
        with np.load(source / f"tiny_imagenet_100_{split}.npz") as stored:
            first = dict(stored) | {"label": stored["label"], "filename": stored["filename"]}
        chosen = first["label"] < 3
        assert chosen[: chosen.sum()].all(), "sorted by label, so that these come first"
        first |= {"label": first["label"][chosen], "filename": first["filename"][chosen]}
        write_folder(first | {"wnid": first["wnid"][:3]}, tmp_path / part)
    dataset = load_dataset(settings(tmp_path))
    assert dataset.class_names == tuple(map(str, first["wnid"][:3]))
    assert np.bincount(dataset.train_labels).tolist() == [100] * 3
    assert np.bincount(dataset.test_labels).tolist() == [50] * 3
    assert dataset.train_images.shape == (300, 64, 64, 3)
    assert 80 < dataset.train_images.mean() < 160
