"""A folder of images, as people have them, is a data set; every mistake is told in one line."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tfcil.config.params import Dataset
from tfcil.data import load_dataset, open_dataset
from tfcil.errors import UserError


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
    return Dataset(name="folder", path=str(folder), **more)


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


@pytest.fixture
def flat(pets, tmp_path):
    """The same images without splits: FOLDER/CLASS/IMAGE."""
    folder = tmp_path / "flat"
    for part in ("test", "train"):
        shutil.copytree(pets / part, folder, dirs_exist_ok=True)
    return folder


def both(dataset):
    """Label and grey value of every image, whichever split it is in."""
    labels = np.concatenate([dataset.train_labels, dataset.test_labels])
    images = np.concatenate([dataset.train_images, dataset.test_images])
    return sorted(zip(labels.tolist(), images[:, 0, 0, 0].tolist(), strict=True))


FILES = [(0, 1), (0, 2), (0, 3), (1, 10), (1, 20), (1, 30), (1, 40)]


def test_a_folder_of_classes_gets_a_test_split(flat):
    dataset = load_dataset(settings(flat))
    assert dataset.class_names == ("cat", "dog")
    assert set(dataset.train_labels) == set(dataset.test_labels) == {0, 1}
    assert both(dataset) == FILES


def test_a_train_folder_without_a_test_folder_gets_one_as_well(flat, tmp_path):
    (tmp_path / "whole").mkdir()
    flat.rename(tmp_path / "whole" / "train")
    assert both(load_dataset(settings(tmp_path / "whole"))) == FILES


def test_a_class_may_be_called_as_a_split_is(flat):
    (flat / "cat").rename(flat / "test")
    assert open_dataset(settings(flat)).class_names == ("dog", "test")
    (flat / "test").rename(flat / "train")
    assert open_dataset(settings(flat)).class_names == ("dog", "train")


def test_links_to_files_are_followed_and_links_to_folders_are_not(flat, tmp_path):
    """A link to a folder may lead to where it stands, and the walk would never end."""
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere / "x.png", 50)
    write(elsewhere / "more" / "y.png", 60)
    (flat / "dog" / "link.png").symlink_to(elsewhere / "x.png")
    (flat / "dog" / "more").symlink_to(elsewhere / "more", target_is_directory=True)
    (flat / "dog" / "round").symlink_to(flat, target_is_directory=True)
    (flat / "linked class").symlink_to(elsewhere, target_is_directory=True)
    dataset = load_dataset(settings(flat))
    assert dataset.class_names == ("cat", "dog")
    assert both(dataset) == [*FILES, (1, 50)]
    (tmp_path / "linked").symlink_to(flat, target_is_directory=True)
    assert both(load_dataset(settings(tmp_path / "linked"))) == [*FILES, (1, 50)]


ODD_NAMES = [
    "; rm -rf ~",
    "$(reboot)",
    "..",
    "con",
    "nul.txt",
    "\N{PANDA FACE}",
    "a" * 200,
    "-f",
    "%s",
]


def test_names_of_classes_are_never_paths_or_commands(tmp_path):
    names = [
        *(name for name in ODD_NAMES if name != ".."),
        "'\"",
        "[1, 2]",
        "Stra\N{LATIN SMALL LETTER SHARP S}e",
    ]
    for value, name in enumerate(names):
        for number in range(2):
            write(tmp_path / "images" / name / f"{number}.png", 10 * value + number)
    dataset = load_dataset(settings(tmp_path / "images"))
    assert dataset.class_names == tuple(sorted(names))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a\nb"], r"control characters.*Received: class name='a\\nb'$"),
        (["a\x1b[31m"], r"control characters.*Received: class name='a\\x1b\[31m'$"),
        (["a\u2028b"], r"control characters"),
        (["a" * 201], r"has 201 characters, more than 200"),
        ([" "], r"is empty"),
        (["Panda", "panda"], r"upper and lower case.*names='Panda', 'panda'$"),
        (["Caf\u00e9", "Cafe\u0301"], r"spelling of accents.*'Cafe\\u0301', 'Caf\\xe9'$"),
    ],
)
def test_names_that_cannot_be_classes_are_refused(tmp_path, names, told):
    for name in names:
        write(tmp_path / name / "1.png", 1)
    with pytest.raises(UserError, match=told) as error:
        open_dataset(settings(tmp_path))
    assert str(error.value).startswith("dataset.path: ")
    assert "\n" not in str(error.value)


def test_a_name_that_is_no_unicode_text_is_refused(tmp_path):
    name = os.fsdecode(b"caf\xe9")
    try:
        write(tmp_path / name / "1.png", 1)
    except OSError:
        pytest.skip("this file system knows no such names")
    with pytest.raises(UserError, match=r"no Unicode text") as error:
        open_dataset(settings(tmp_path))
    str(error.value).encode("utf-8")


def spoil(folder, mistake):
    train, test = folder / "train", folder / "test"
    if mistake == "no folder":
        shutil.rmtree(folder)
    elif mistake == "nothing":
        shutil.rmtree(train), shutil.rmtree(test)
    elif mistake == "no train":
        shutil.rmtree(train)
    elif mistake == "a file":
        shutil.rmtree(folder)
        folder.write_text("")
    elif mistake == "no class":
        shutil.rmtree(test)
        write(test / "a.png", 1)
    elif mistake == "no class at all":
        spoil(folder, "no class")
        shutil.rmtree(train)
        write(train / "a.png", 1)
    elif mistake == "empty class":
        for file in [*(train / "dog").rglob("*.*"), *(test / "dog").rglob("*.*")]:
            file.unlink()
        (train / "dog" / "notes.txt").write_text("")
    elif mistake == "class missing in test":
        shutil.rmtree(test / "dog")
    elif mistake == "class missing in train":
        shutil.rmtree(train / "cat")
    elif mistake == "several sizes":
        write(train / "cat" / "3.png", 9, (6, 9))


@pytest.mark.parametrize(
    ("mistake", "told", "received"),
    [
        ("no folder", "No such file", "folder={folder}"),
        ("a file", "Not a directory", "folder={folder}"),
        ("nothing", "pets/train (dataset.train_split)", "dataset.path={folder}"),
        ("no train", "pets/train (dataset.train_split)", "dataset.path={folder}"),
        ("no class", "pets/test (dataset.test_split)", "dataset.path={folder}"),
        ("no class at all", "pets/train (dataset.train_split)", "dataset.path={folder}"),
        ("empty class", "dog has none to use", "dataset.path={folder}"),
        ("class missing in test", "dog is in train and not in test", "dataset.path={folder}"),
        ("class missing in train", "cat is in test and not in train", "dataset.path={folder}"),
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


@pytest.mark.parametrize("key", ["train_split", "test_split"])
def test_a_split_that_is_named_must_be_there(pets, key):
    with pytest.raises(UserError, match=rf"pets/other \(dataset\.{key}\)"):
        open_dataset(settings(pets, **{key: "other"}))


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
