"""Crops and mirror images are drawn per image; shifts copy pixels, resized crops are Pillow's."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tfcil.layers.augmentation import augment
from tfcil.layers.draws import Augmentation, draw

SHIFT = Augmentation(crop_padding=2, flip=True)
RESIZED = Augmentation(flip=True, resized_crop=True)


def test_every_shifted_image_is_the_drawn_crop_of_its_padded_self():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 9, 7, 3), dtype="uint8")
    draws = draw(generator, 20, SHIFT)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    result = np.asarray(augment(images, draws, SHIFT))
    assert result.dtype == np.uint8
    for image, (row, column, flipped), output in zip(padded, draws, result, strict=True):
        crop = image[row : row + 9, column : column + 7]
        np.testing.assert_array_equal(output, crop[:, ::-1] if flipped else crop)


def test_shifts_differ_within_a_batch_and_cover_their_range():
    """Keras's RandomCrop draws one offset for a whole batch; that is not CIFAR's augmentation."""
    draws = draw(np.random.default_rng(0), 2000, Augmentation(crop_padding=4, flip=True))
    for axis in (0, 1):
        assert set(draws[:, axis]) == set(range(9))
    assert abs(draws[:, 2].mean() - 0.5) < 0.05


def test_without_augmentation_images_stay_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 5, 1), dtype="uint8")
    draws = draw(np.random.default_rng(0), 4, Augmentation())
    np.testing.assert_array_equal(np.asarray(augment(images, draws, Augmentation())), images)


def pillow(images, draws):
    """The boxes of the images, resized by Pillow."""
    _, height, width, _ = images.shape
    for image, (top, left, box_height, box_width, flipped) in zip(images, draws, strict=True):
        right, bottom = min((left + box_width), 1) * width, min((top + box_height), 1) * height
        resized = Image.fromarray(image).resize(
            (width, height), Image.Resampling.BILINEAR, (left * width, top * height, right, bottom)
        )
        yield np.asarray(resized)[:, ::-1] if flipped else np.asarray(resized)


def some_images_and_draws():
    generator = np.random.default_rng(1)
    images = generator.integers(0, 256, (40, 17, 23, 3), dtype="uint8")
    return images, draw(generator, 40, RESIZED)


def test_a_resized_crop_is_the_box_resized_by_pillow():
    """Up to one grey level: Pillow rounds to whole ones in between."""
    images, draws = some_images_and_draws()
    assert 0 < draws[:, 4].sum() < 40
    result = np.asarray(augment(images, draws, RESIZED))
    assert result.dtype == np.uint8
    for output, expected in zip(result, pillow(images, draws), strict=True):
        np.testing.assert_allclose(output.astype(int), expected, atol=1)


def test_floats_are_interpolated_without_rounding():
    """By hand: the middle half of 0, 4, 8, 12 is read at 1, 1.5, 2 and 2.5, less the half pixel."""
    images = np.array([0, 4, 8, 12], "float32").reshape(1, 1, 4, 1)
    for mirrored, expected in ((0, [3, 5, 7, 9]), (1, [9, 7, 5, 3])):
        draws = np.array([[0, 0.25, 1, 0.5, mirrored]], "float32")
        result = np.asarray(augment(images, draws, RESIZED))
        np.testing.assert_allclose(result.ravel(), expected, rtol=1e-6)


def test_the_box_of_everything_leaves_the_image_as_it_is():
    images, _ = some_images_and_draws()
    draws = np.tile(np.array([0, 0, 1, 1, 0], "float32"), (40, 1))
    np.testing.assert_array_equal(np.asarray(augment(images, draws, RESIZED)), images)


def test_boxes_lie_within_the_image_and_have_the_published_sizes():
    draws = draw(np.random.default_rng(0), 20000, RESIZED)
    top, left, height, width, mirrored = draws.T
    assert draws[:, :4].min() >= 0
    assert max((top + height).max(), (left + width).max()) <= 1 + 1e-6
    area, ratio = height * width, width / height
    assert 0.08 - 1e-6 < area.min() < 0.081
    assert 0.99 < area.max() <= 1
    assert 3 / 4 - 1e-5 < ratio.min() < 0.751
    assert 1.33 < ratio.max() < 4 / 3 + 1e-5
    assert abs(np.log(ratio).mean()) < 0.005, "no side is preferred"
    assert abs((top / (1 - height)).mean() - 0.5) < 0.02, "nor a place"
    assert abs(mirrored.mean() - 0.5) < 0.02
    assert draw(np.random.default_rng(0), 50, Augmentation(resized_crop=True))[:, 4].max() == 0


@pytest.mark.parametrize("augmentation", [SHIFT, RESIZED], ids=["shift", "resized"])
def test_draws_depend_on_the_generator_alone(augmentation):
    same, again, other = (draw(np.random.default_rng(seed), 30, augmentation) for seed in (4, 4, 5))
    np.testing.assert_array_equal(same, again)
    assert not np.array_equal(same, other)


@pytest.mark.slow
def test_resized_crops_are_pillows_on_jax_too(tmp_path):
    """Within a compiled function, where the shapes are known and the draws are not."""
    script = (
        "import sys, jax, numpy as np\n"
        "from tfcil.layers.augmentation import augment\n"
        "from tfcil.layers.draws import Augmentation\n"
        "augmentation = Augmentation(flip=True, resized_crop=True)\n"
        "given = np.load(sys.argv[1])\n"
        "run = jax.jit(lambda images, draws: augment(images, draws, augmentation))\n"
        "np.save(sys.argv[2], run(given['images'], given['draws']))\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    images, draws = some_images_and_draws()
    np.savez(tmp_path / "given.npz", images=images, draws=draws)
    arguments = [tmp_path / "given.npz", tmp_path / "result.npy"]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script, *arguments], env=environment, check=True)
    result = np.load(tmp_path / "result.npy")
    assert result.dtype == np.uint8
    for output, expected in zip(result, pillow(images, draws), strict=True):
        np.testing.assert_allclose(output.astype(int), expected, atol=1)
