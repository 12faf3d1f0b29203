"""Encoded images in a task's folder, in parts and in the exemplar memory: never decoded to move."""

import numpy as np
import pytest

from tfcil.data.encoded import EncodedImages, encode
from tfcil.data.store import Concatenated, images_digest, move_images, read_images, writing_images
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.training.task import Selected

GENERATOR = np.random.default_rng(0)
IMAGES = [GENERATOR.integers(0, 256, (8, width, 3), "uint8") for width in (8, 9, 12, 7, 20)]
ENCODED = [encode(image, size=7, resize="crop") for image in IMAGES]
WHOLE = EncodedImages.of(ENCODED, (7, 7, 3), "crop")
LABELS = np.array([3, 3, 4, 5, 3])


@pytest.fixture
def folder(tmp_path):
    with writing_images(tmp_path / "00", LABELS, ENCODED[0]) as store:
        for image in ENCODED:
            store(image)
    return tmp_path / "00"


def test_images_and_labels_come_back_from_a_mapped_file(folder):
    images, labels = read_images(folder, images_digest(WHOLE, LABELS.astype("int32")))
    assert isinstance(images.contents, np.memmap)
    np.testing.assert_array_equal(images[:], WHOLE[:])
    np.testing.assert_array_equal(labels, LABELS)
    assert sorted(file.name for file in folder.iterdir()) == [
        *("images.bin", "index.npz", "labels.npy")
    ]


def test_equal_images_give_equal_files(folder, tmp_path):
    with writing_images(tmp_path / "01", LABELS, ENCODED[0]) as store:
        for image in ENCODED:
            store(image)
    for file in folder.iterdir():
        assert file.read_bytes() == (tmp_path / "01" / file.name).read_bytes()


def test_other_images_than_expected_are_refused(folder):
    expected = images_digest(*read_images(folder))
    with (folder / "images.bin").open("r+b") as file:
        file.seek(60)
        file.write(b"x")
    with pytest.raises(UserError, match=r"run the stage prepare again.*Received: folder=.*00$"):
        read_images(folder, expected)


@pytest.mark.parametrize("name", ["images.bin", "index.npz", "labels.npy"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty"])
def test_a_damaged_folder_is_told_in_one_line_that_names_it(folder, name, damage):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:-3] if damage == "cut" else b"")
    if damage == "missing":
        (folder / name).unlink()
    with pytest.raises(UserError, match=r"Received: (folder|path)=.*00") as told:
        read_images(folder)
    assert "\n" not in str(told.value)


def test_images_move_to_another_folder_as_they_are_stored(folder, tmp_path):
    moved = np.array([False, True, True, False, True])
    move_images(folder, tmp_path / "test" / "00", moved)
    for place, mask in ((tmp_path / "test" / "00", moved), (folder, ~moved)):
        images, labels = read_images(place)
        np.testing.assert_array_equal(labels, LABELS[mask])
        expected = b"".join(ENCODED[index].contents for index in np.flatnonzero(mask))
        assert images.contents.tobytes() == expected
        np.testing.assert_array_equal(images.aspects, WHOLE.aspects[mask])


def some_draws(count):
    draws = np.zeros((count, 5), "float32")
    draws[:, :2] = GENERATOR.uniform(0, 0.4, (count, 2))
    draws[:, 2:4] = GENERATOR.uniform(0.3, 0.6, (count, 2))
    draws[:, 4] = np.arange(count) % 2
    return draws


def test_boxes_of_parts_and_of_chosen_rows_are_those_of_one_array():
    nothing = np.zeros((0, 7, 7, 3), "uint8")  # a memory before it has exemplars
    parts = [EncodedImages.of(ENCODED[:2], (7, 7, 3), "crop"), nothing]
    parts.append(EncodedImages.of(ENCODED[2:], (7, 7, 3), "crop"))
    both, positions = Concatenated(*parts), np.array([4, 0, 2, 2, 1])
    draws = some_draws(5)
    expected = WHOLE.cropped(positions, draws)
    assert len(np.unique(expected)) > 50
    np.testing.assert_array_equal(both.cropped(positions, draws), expected)
    np.testing.assert_array_equal(both.aspects, WHOLE.aspects)
    chosen = Selected(both, positions[::-1])
    np.testing.assert_array_equal(chosen.cropped(np.arange(4, -1, -1), draws), expected)
    np.testing.assert_array_equal(chosen.aspects, WHOLE.aspects[positions[::-1]])


def test_arrays_have_no_aspects():
    """Their middle is all there is: they are cropped in the training step."""
    array = np.zeros((2, 7, 7, 3), "uint8")
    assert Concatenated(array, array).aspects is None
    assert Selected(array, [1]).aspects is None


# The exemplar memory


def updated(memory, first, labels):
    images = EncodedImages.of(ENCODED[first : first + len(labels)], (7, 7, 3), "crop")
    features = np.random.default_rng(first).normal(size=(len(labels), 4))
    return memory.update(images, np.array(labels), features, max(labels) + 1, budget=4)


def test_exemplars_are_kept_as_the_files_they_were(tmp_path):
    memory = updated(updated(ExemplarMemory.empty((7, 7, 3)), 0, [0, 0, 0]), 3, [1, 1])
    assert memory.labels.tolist() == [0, 0, 1, 1]
    known = {image.contents for image in ENCODED}
    kept = {bytes(memory.images.encoded(row).contents) for row in range(4)}
    assert len(kept) == 4
    assert kept <= known
    memory.save(tmp_path / "memory.npz")
    loaded = ExemplarMemory.load(tmp_path / "memory.npz")
    assert isinstance(loaded.images.contents, np.memmap)
    np.testing.assert_array_equal(loaded.images[:], memory.images[:])
    loaded.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "memory.npz").read_bytes()


def test_a_memory_without_budget_keeps_nothing_and_goes_on(tmp_path):
    features, labels = np.zeros((5, 2)), np.arange(5)
    memory = ExemplarMemory.empty((7, 7, 3)).update(WHOLE, labels, features, 5, budget=0)
    memory.save(tmp_path / "memory.npz")
    assert ExemplarMemory.load(tmp_path / "memory.npz").images[:].shape == (0, 7, 7, 3)


def test_encoded_images_and_pixels_do_not_mix():
    memory = updated(ExemplarMemory.empty((7, 7, 3)), 0, [0, 0])
    with pytest.raises(ValueError, match="must all be encoded, or none"):
        memory.update(np.zeros((1, 7, 7, 3), "uint8"), [1], np.ones((1, 4)), 2, budget=4)


def test_a_memory_with_a_flipped_byte_is_refused(tmp_path):
    path = tmp_path / "memory.npz"
    updated(ExemplarMemory.empty((7, 7, 3)), 0, [0, 0]).save(path)
    whole = path.read_bytes()
    place = whole.index(b"PNG") + 20
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(UserError, match=r"checksum.*Received: path=.*memory\.npz"):
        ExemplarMemory.load(path)
