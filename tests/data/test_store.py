"""Stored images come back as they were, and others in their place are noticed."""

import numpy as np
import pytest

from tfcil.data.store import read_facts, read_images, write_images
from tfcil.errors import UserError
from tfcil.files import digest

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2), dtype="uint8")
LABELS = np.array([3, 3, 4, 5, 3])


def test_images_labels_and_facts_come_back(tmp_path):
    written = write_images(tmp_path / "00", IMAGES, LABELS, classes=["a", "é", "c"])
    images, labels = read_images(tmp_path / "00", written)
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert read_facts(tmp_path / "00") == {"classes": ["a", "é", "c"]}


def test_images_are_not_read_into_memory(tmp_path):
    write_images(tmp_path / "00", IMAGES, LABELS)
    assert isinstance(read_images(tmp_path / "00")[0], np.memmap)


def test_digest_is_that_of_what_is_stored(tmp_path):
    """It depends on nothing else: labels of another integer type, or a view, are the same."""
    first = write_images(tmp_path / "00", IMAGES, LABELS)
    second = write_images(tmp_path / "01", IMAGES[::-1][::-1], LABELS.astype("int16"))
    assert first == second == digest(*read_images(tmp_path / "00"))


@pytest.mark.parametrize("changed", ["image", "label", "order"])
def test_other_images_than_expected_are_refused(tmp_path, changed):
    expected = write_images(tmp_path / "expected", IMAGES, LABELS)
    images, labels = IMAGES.copy(), LABELS.copy()
    if changed == "image":
        images[0, 0, 0, 0] ^= 1
    elif changed == "label":
        labels[0] = 4
    else:
        images, labels = images[::-1], labels[::-1]
    write_images(tmp_path / "00", images, labels)
    with pytest.raises(UserError, match=r"run the stage prepare again.*Received: folder=.*00$"):
        read_images(tmp_path / "00", expected)


@pytest.mark.parametrize("damage", ["missing", "no labels", "truncated", "empty", "pickle"])
def test_damaged_folder_is_told_in_one_line_that_names_it(tmp_path, damage):
    folder = tmp_path / "00"
    if damage != "missing":
        write_images(folder, IMAGES, LABELS)
    if damage == "no labels":
        (folder / "labels.npy").unlink()
    elif damage == "truncated":
        whole = (folder / "images.npy").read_bytes()
        (folder / "images.npy").write_bytes(whole[:-10])
    elif damage == "empty":
        (folder / "images.npy").write_bytes(b"")
    elif damage == "pickle":
        np.save(folder / "labels.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(UserError, match=r"Received: folder=.*00$") as told:
        read_images(folder)
    assert "\n" not in str(told.value)


def test_a_folder_is_never_written_into_twice(tmp_path):
    """Images of one task beside labels of another would be a silent mistake."""
    write_images(tmp_path / "00", IMAGES, LABELS)
    with pytest.raises(FileExistsError):
        write_images(tmp_path / "00", IMAGES, LABELS)
