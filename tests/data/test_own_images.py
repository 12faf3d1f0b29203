"""Files that cannot be used are told or left out; the made test split depends on files alone."""

import hashlib
import os
import shutil
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tfcil.config.params import Dataset
from tfcil.data import open_dataset
from tfcil.data.held_out import position
from tfcil.errors import UserError


def write(file, value):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), value).save(file)


@pytest.fixture
def pets(tmp_path):
    """Six cats and six dogs to learn from, two of each to evaluate on."""
    folder = tmp_path / "pets"
    for first, name in ((0, "cat"), (100, "dog")):
        for value in range(first, first + 8):
            write(folder / ("train" if value % 100 < 6 else "test") / name / f"{value}.png", value)
    return folder


def settings(folder, **more):
    return Dataset(name="folder", path=str(folder), **more)


def files(split):
    return {path.split("/pets/")[1] for path in split.items(np.ones(len(split.labels), bool))}


PROBLEMS = {
    "empty": ("train/dog/100.png", "empty file"),
    "text": ("train/dog/101.png", "no BMP, GIF, JPEG, PNG or WEBP image"),
    "other kind": ("train/dog/102.png", "no BMP, GIF, JPEG, PNG or WEBP image"),
    "cut": ("test/cat/6.png", "damaged: "),
    "16 bits": ("train/cat/1.png", "more than 8 bits per channel"),
    "pipe": ("train/cat/2.png", "no regular file"),
    "folder": ("train/cat/3.png", None),
    "broken link": ("train/cat/4.png", "No such file or directory"),
    "link to itself": ("train/cat/4.png", "Too many levels of symbolic links"),
    "too many pixels": ("train/cat/5.png", "more than 100 megapixels: 9000 x 12000"),
    "far too many pixels": ("train/cat/5.png", "more than 100 megapixels"),
    "too many bytes": ("train/cat/5.png", "more than 500 MB"),
}


def spoil(file, how):
    whole = file.read_bytes()
    file.unlink()
    if how == "empty":
        file.touch()
    elif how == "text":
        file.write_text("not an\nimage")
    elif how == "other kind":
        Image.new("L", (4, 4)).save(file, format="TIFF")
    elif how == "cut":
        file.write_bytes(whole[:-30])
    elif how == "16 bits":
        Image.fromarray(np.full((4, 4), 60000, "uint16")).save(file)
    elif how == "pipe":
        os.mkfifo(file)
    elif how == "folder":
        file.mkdir()
    elif how == "broken link":
        file.symlink_to("nowhere.png")
    elif how == "link to itself":
        file.symlink_to(file)
    elif how in ("too many pixels", "far too many pixels"):
        # The first is between Pillow's own warning and its error.
        width, height = (9000, 12000) if how == "too many pixels" else (20000, 20000)
        header = bytearray(whole)
        header[16:24] = struct.pack(">II", width, height)
        header[29:33] = struct.pack(">I", zlib.crc32(header[12:29]))
        file.write_bytes(header)
    elif how == "too many bytes":
        with file.open("wb") as sparse:
            sparse.truncate(500_000_001)


@pytest.mark.parametrize("how", PROBLEMS)
def test_an_image_that_cannot_be_used_is_told_or_left_out(pets, how):
    name, reason = PROBLEMS[how]
    spoil(pets / name, how)
    if reason is None:  # folders may be called as they like
        assert name not in files(open_dataset(settings(pets)).train)
        return
    with pytest.raises(UserError) as error:
        open_dataset(settings(pets))
    message = str(error.value)
    assert message.startswith(
        "dataset.on_bad_image: expected images that can all be used, 1 cannot"
    )
    assert f": {name} of the class {name.split('/')[1]} ({reason.split(':')[0]}" in message
    assert message.endswith(f"Received: dataset.path={pets}, dataset.on_bad_image=error")
    assert "\n" not in message
    dataset = open_dataset(settings(pets, on_bad_image="skip"))
    ((path, class_name, why),) = dataset.skipped
    assert (path, class_name) == (str(pets / name), name.split("/")[1])
    assert why.startswith(reason.split(":")[0])
    assert len(dataset.train.labels) + len(dataset.test.labels) == 15
    assert name not in files(dataset.train) | files(dataset.test)


def test_the_first_five_are_told_and_how_many_there_are(pets):
    for value in range(100, 107):
        (pets / ("train" if value < 106 else "test") / "dog" / f"{value}.png").write_bytes(b"")
    with pytest.raises(UserError) as error:
        open_dataset(settings(pets))
    assert "7 cannot: " in str(error.value)
    assert str(error.value).count("empty file") == 5
    assert "; and 2 more. " in str(error.value)


def test_a_class_of_which_nothing_can_be_used_is_told_even_where_such_are_left_out(pets):
    for file in (pets / "train" / "dog").iterdir():
        file.write_bytes(b"")
    with pytest.raises(UserError, match="dog is in test and not in train"):
        open_dataset(settings(pets, on_bad_image="skip"))
    for file in (pets / "test" / "dog").iterdir():
        file.write_bytes(b"")
    with pytest.raises(UserError, match="dog has none to use"):
        open_dataset(settings(pets, on_bad_image="skip"))


def test_an_image_in_both_splits_is_left_out_of_training(pets):
    shutil.copy(pets / "test" / "dog" / "106.png", pets / "train" / "dog" / "copy.png")
    told = (
        r"train/dog/copy.png of the class dog \(same image as test/dog/106.png in the test split\)"
    )
    with pytest.raises(UserError, match=told):
        open_dataset(settings(pets))
    dataset = open_dataset(settings(pets, on_bad_image="skip"))
    assert [path.split("/")[-1] for path, _, _ in dataset.skipped] == ["copy.png"]
    assert "test/dog/106.png" in files(dataset.test)


def test_an_image_under_two_classes_is_left_out_of_both(pets):
    """Also its copies in either class: nobody knows what they show."""
    for name in ("cat/copy.png", "dog/again.png"):
        shutil.copy(pets / "train" / "dog" / "101.png", pets / "train" / name)
    with pytest.raises(UserError, match=r"3 cannot.*cat/copy.png of the class cat \(same image as"):
        open_dataset(settings(pets))
    dataset = open_dataset(settings(pets, on_bad_image="skip"))
    left_out = {path.split("/pets/")[1]: reason for path, _, reason in dataset.skipped}
    assert left_out == {
        "train/cat/copy.png": "same image as train/dog/again.png of the class dog",
        "train/dog/101.png": "same image as train/cat/copy.png of the class cat",
        "train/dog/again.png": "same image as train/cat/copy.png of the class cat",
    }


def test_an_image_may_stand_twice_in_one_class_and_split(pets):
    shutil.copy(pets / "train" / "dog" / "101.png", pets / "train" / "dog" / "copy.png")
    assert len(open_dataset(settings(pets)).train.labels) == 13


def test_only_the_classes_that_are_used_are_looked_at(pets):
    """The next class may be half copied while the others are prepared."""
    (pets / "train" / "emu").mkdir()
    (pets / "train" / "dog" / "100.png").write_bytes(b"")
    assert open_dataset(settings(pets, classes=["cat"])).class_names == ("cat",)
    dataset = open_dataset(settings(pets), lambda names: [names[0]])
    assert dataset.class_names == ("cat", "dog", "emu")
    assert set(dataset.train.labels) == set(dataset.test.labels) == {0}
    for used in (["dog"], ["emu"]):
        with pytest.raises(UserError, match=used[0]):
            open_dataset(settings(pets), lambda _, used=used: used)


@pytest.fixture
def photos(tmp_path):
    """300 different images of one class and 12 of another, without splits."""
    folder = tmp_path / "pets"
    for value in range(300):
        file = folder / "ant" / f"{value}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((1, 2), [value % 256, value // 256], "uint8")).save(file)
    for value in range(12):
        write(folder / "bee" / f"{value}.png", value)
    return folder


def test_a_file_is_a_test_image_if_its_sha_256_says_so(photos):
    dataset = open_dataset(settings(photos, test_fraction=0.3))
    expected = {
        file.relative_to(photos).as_posix()
        for file in photos.rglob("*.png")
        if int(hashlib.sha256(file.read_bytes()).hexdigest()[:16], 16) / 2**64 < 0.3
    }
    assert files(dataset.test) == expected
    assert len(files(dataset.train)) == 312 - len(expected)
    assert 60 < len(expected) < 120  # 90, and more than three deviations to both sides


def test_more_files_and_other_names_move_no_file(photos):
    before = open_dataset(settings(photos))
    tested = {file.split("/")[1] for file in files(before.test) if file.startswith("ant")}
    for value in range(40):
        write(photos / "ant" / f"more{value}.png", 50 + value)
        write(photos / "cat" / f"{value}.png", 100 + value)
    for file in list((photos / "ant").glob("1*.png")):
        file.rename(file.with_name(f"renamed{file.name}"))
    after = open_dataset(settings(photos))
    names = {
        file.split("/")[1].removeprefix("renamed") for file in files(after.test) if "ant" in file
    }
    assert {name for name in names if "more" not in name} == tested


def test_a_class_whose_files_all_fall_on_one_side_gives_one_to_the_other(photos):
    for fraction, few, many in ((1e-9, "test", "train"), (1 - 1e-9, "train", "test")):
        dataset = open_dataset(settings(photos, test_fraction=fraction))
        few, many = getattr(dataset, few), getattr(dataset, many)
        assert np.bincount(few.labels).tolist() == [1, 1]
        assert np.bincount(many.labels).tolist() == [299, 11]


@pytest.mark.parametrize("copies", [1, 3])
def test_a_class_of_one_image_cannot_be_split(photos, copies):
    for number in range(copies):
        write(photos / "cat" / f"{number}.png", 77)
    with pytest.raises(UserError) as error:
        open_dataset(settings(photos))
    assert str(error.value) == (
        "dataset.path: expected two different images of each class at least, one of them to "
        f"evaluate on; cat has one. Received: dataset.path={photos}"
    )


def test_positions_are_numbers_from_0_to_1():
    assert position(bytes(32)) == 0
    assert position(b"\x80" + bytes(31)) == 0.5
    assert position(b"\x40" + bytes(31)) == 0.25


def test_no_bar_is_drawn_where_nobody_looks(photos, capfd):
    open_dataset(settings(photos))
    assert capfd.readouterr() == ("", "")
