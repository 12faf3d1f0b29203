"""What a person gives becomes two arrays, or one clear line."""

import numpy as np
import pytest

from tfcil.errors import UserError
from tfcil.learning.arrays import collected

IMAGES = np.arange(4 * 2 * 2 * 1).reshape(4, 2, 2, 1).astype("uint8")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([3, 1, 1, 3], [3, 1, 1, 3]),
        ([np.int64(3), np.int64(1), 1, 3], [3, 1, 1, 3]),
        (np.array([[3], [1], [1], [3]]), [3, 1, 1, 3]),  # as keras.datasets have them
        (np.array(["b", "a", "a", "b"]), ["b", "a", "a", "b"]),
        (np.array([b"b", b"a", b"a", "ü".encode()]), ["b", "a", "a", "ü"]),
        (np.array(["b", "a", "a", "b"], object), ["b", "a", "a", "b"]),
    ],
)
def test_labels_are_names_or_integers(labels, expected):
    images, found = collected(IMAGES, labels)
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    assert found == expected


@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("names", [True, False])
def test_a_tensorflow_data_set_is_collected(batched, names):
    import tensorflow as tf

    labels = ["a", "b", "a", "b"] if names else [0, 5, 0, 5]
    dataset = tf.data.Dataset.from_tensor_slices((IMAGES, labels))
    images, found = collected(dataset.batch(3) if batched else dataset)
    np.testing.assert_array_equal(images, IMAGES, strict=True)
    assert found == labels


def test_a_data_set_of_folders_brings_the_names(tmp_path):
    import keras

    for name, value in (("panda", 10), ("bear", 20), ("bear", 21)):
        (tmp_path / name).mkdir(exist_ok=True)
        picture = np.full((4, 4, 3), value, "uint8")
        keras.utils.save_img(tmp_path / name / f"{value}.png", picture, scale=False)
    folders = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(4, 4), batch_size=2, seed=0, verbose=False
    )
    images, names = collected(folders)
    found = sorted(zip(images[:, 0, 0, 0].tolist(), names, strict=True))
    assert found == [(10, "panda"), (20, "bear"), (21, "bear")]


@pytest.mark.parametrize(
    ("images", "dtype"),
    [
        (IMAGES.astype("int64"), "uint8"),
        (IMAGES / 255.0, "float32"),
        (IMAGES.astype("float16"), "float32"),
        (IMAGES.tolist(), "uint8"),
    ],
)
def test_images_become_bytes_or_float32(images, dtype):
    found, _ = collected(images, [0, 0, 1, 1])
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.asarray(images), rtol=1e-3)


def test_a_data_set_without_an_end_is_refused():
    import tensorflow as tf

    endless = tf.data.Dataset.from_tensor_slices((IMAGES, [0, 0, 1, 1])).repeat()
    with pytest.raises(UserError, match="leave out repeat"):
        collected(endless)


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (IMAGES, [0, 1], "4 images, 2 labels"),
        (IMAGES[..., 0], [0] * 4, r"\[..., None\].*shape \(4, 2, 2\)"),
        (IMAGES[:0], [], "at least one image"),
        (IMAGES.astype("int32") + 300, [0] * 4, "300 to 315"),
        (IMAGES / np.where(IMAGES == 5, np.nan, 1), [0] * 4, "finite"),
        (IMAGES.astype(str), [0] * 4, "finite"),
        ([np.zeros((2, 2, 1)), np.zeros((3, 2, 1))], [0, 1], "several shapes"),
        (IMAGES, np.eye(4), r"argmax"),
        (IMAGES, [0.0, 1.0, 0.0, 1.0], "Received: float"),
        (IMAGES, [0, "a", 1, 1], "Received: int, str"),
        (IMAGES, None, "pairs of both"),
        (7, None, "pairs of both.*Received: int"),
    ],
)
def test_what_is_neither_is_told_in_one_line(images, labels, told):
    with pytest.raises(UserError, match=told) as refusal:
        collected(images, labels)
    assert "\n" not in str(refusal.value)
