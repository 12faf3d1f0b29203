"""Stored images come back as they were, and others in their place are noticed."""

import tracemalloc

import numpy as np
import pytest

from tfcil.data.store import (
    Concatenated,
    create_images,
    move_images,
    read_facts,
    read_images,
    write_facts,
)
from tfcil.errors import UserError
from tfcil.files import digest

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2), dtype="uint8")
LABELS = np.array([3, 3, 4, 5, 3])


def write_images(folder, images, labels):
    create_images(folder, labels, images.shape[1:])[:] = images


def test_images_labels_and_facts_come_back(tmp_path):
    write_images(tmp_path / "00", IMAGES, LABELS)
    write_facts(tmp_path / "00", classes=["a", "é", "c"])
    images, labels = read_images(tmp_path / "00", digest(IMAGES, LABELS.astype("int32")))
    assert (images.dtype, labels.dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(labels, LABELS)
    assert read_facts(tmp_path / "00") == {"classes": ["a", "é", "c"]}


def test_images_are_not_read_into_memory(tmp_path):
    write_images(tmp_path / "00", IMAGES, LABELS)
    assert isinstance(read_images(tmp_path / "00")[0], np.memmap)


def test_labels_of_any_integer_type_are_stored_alike(tmp_path):
    write_images(tmp_path / "00", IMAGES, LABELS)
    write_images(tmp_path / "01", IMAGES, LABELS.astype("int16"))
    stored = [digest(*read_images(tmp_path / name)) for name in ("00", "01")]
    assert stored[0] == stored[1]


@pytest.mark.parametrize("changed", ["image", "label", "order"])
def test_other_images_than_expected_are_refused(tmp_path, changed):
    expected = digest(IMAGES, LABELS.astype("int32"))
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


PARTS = (IMAGES[:3], IMAGES[:0], IMAGES[3:])


@pytest.mark.parametrize(
    "index",
    [
        *(slice(None), slice(1, 4), slice(4, 0, -2), slice(3, 99), slice(2, 2)),
        *([4, 0, 3, 3], [[0, 4], [2, 1]], [-1, -5], LABELS == 3, 0, -1, np.int64(3)),
        np.array([], int),
    ],
    ids=str,
)
def test_concatenated_parts_are_indexed_like_one_array(index):
    both = Concatenated(*PARTS)
    assert (len(both), both.shape, both.dtype) == (5, IMAGES.shape, IMAGES.dtype)
    np.testing.assert_array_equal(both[index], IMAGES[index])
    assert both[index].dtype == IMAGES.dtype


@pytest.mark.parametrize("index", [5, -6, [0, 5]])
def test_an_index_outside_of_the_concatenated_parts_is_refused(index):
    with pytest.raises(IndexError):
        Concatenated(*PARTS)[index]


def test_parts_that_are_not_alike_are_not_concatenated():
    with pytest.raises(ValueError, match="one dtype and one shape"):
        Concatenated(IMAGES, IMAGES.astype("float32"))
    with pytest.raises(ValueError, match="one dtype and one shape"):
        Concatenated(IMAGES, IMAGES[:, 1:])


def test_a_batch_of_concatenated_parts_reads_only_itself(tmp_path):
    """A task of ImageNet is larger than memory."""
    create_images(tmp_path / "00", np.zeros(2000, int), (64, 64, 3))[:] = 7
    images, _ = read_images(tmp_path / "00")
    tracemalloc.start()
    both = Concatenated(images, np.zeros((10, 64, 64, 3), "uint8"))
    batch = both[np.arange(1990, 2010)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert batch[:, 0, 0, 0].tolist() == [7] * 10 + [0] * 10
    assert peak < images.nbytes / 20


def test_images_move_to_another_folder_and_the_rest_stays(tmp_path):
    labels = [3, 1, 3, 2, 1]
    stored = create_images(tmp_path / "train" / "00", labels, (2, 2, 1))
    stored[:] = np.arange(5, dtype="uint8")[:, None, None, None]
    del stored
    moved = np.array([False, True, True, False, False])
    move_images(tmp_path / "train" / "00", tmp_path / "test" / "00", moved)
    for part, expected, values in (
        ("test", [1, 3], [1, 2]),
        ("train", [3, 2, 1], [0, 3, 4]),
    ):
        images, labels = read_images(tmp_path / part / "00")
        assert (labels.tolist(), images[:, 1, 1, 0].tolist()) == (expected, values)
        assert images.shape[1:] == (2, 2, 1)
        assert [one.name for one in (tmp_path / part).iterdir()] == ["00"]
