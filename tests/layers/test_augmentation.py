"""Random crop and mirror image are drawn per image and copy pixels exactly."""

import numpy as np

from tfcil.layers.augmentation import crop_and_flip, draw


def test_every_output_is_the_drawn_crop_of_its_padded_image():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (20, 9, 7, 3), dtype="uint8")
    draws = draw(generator, 20, crop_padding=2, flip=True)
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    result = np.asarray(crop_and_flip(images, draws, 2))
    assert result.dtype == np.uint8
    for image, (row, column, flipped), output in zip(padded, draws, result, strict=True):
        crop = image[row : row + 9, column : column + 7]
        np.testing.assert_array_equal(output, crop[:, ::-1] if flipped else crop)


def test_draws_differ_within_a_batch_and_cover_their_range():
    """Keras's RandomCrop draws one offset for a whole batch; that is not CIFAR's augmentation."""
    draws = draw(np.random.default_rng(0), 2000, crop_padding=4, flip=True)
    for axis in (0, 1):
        assert set(draws[:, axis]) == set(range(9))
    assert abs(draws[:, 2].mean() - 0.5) < 0.05


def test_without_padding_and_flip_images_stay_as_they_are():
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 5, 1), dtype="uint8")
    draws = draw(np.random.default_rng(0), 4)
    np.testing.assert_array_equal(np.asarray(crop_and_flip(images, draws, 0)), images)
