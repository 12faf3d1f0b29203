"""Training on encoded images: boxes of whole images, the same after a kill, without TensorFlow."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from tiny_tasks import RECIPE, choice_of, first_task, images_of, task_settings

from tfcil.data.encoded import EncodedImages, encode
from tfcil.data.store import Concatenated
from tfcil.layers.augmentation import augment
from tfcil.layers.draws import Augmentation, draw
from tfcil.learning.task import train_task
from tfcil.training import Shuffled, make_deterministic
from tfcil.training.checkpoint import Checkpoint
from tfcil.training.samplers import Plan
from tfcil.training.steps import one_by_one

RESIZED = Augmentation(flip=True, resized_crop=True)
CROPS = RECIPE | {"epochs": 2, "crop_padding": 0, "resized_crop": True}


def wide(image):
    """A picture half as high again as the network's side, and twice as wide as high."""
    return np.asarray(Image.fromarray(image[..., 0]).resize((84, 42)))[..., None]


def encoded(images):
    some = [encode(wide(image), size=28, resize="crop") for image in images]
    return EncodedImages.of(some, some[0].shape, "crop")


def test_boxes_of_wide_images_have_the_published_sizes_in_pixels():
    aspects = np.repeat([0.5, 2, 1.5], 5000)
    draws = draw(np.random.default_rng(0), 15000, RESIZED, aspects)
    top, left, height, width, _ = draws.T
    assert draws.min() >= 0
    assert max((top + height).max(), (left + width).max()) <= 1 + 1e-6
    ratio = width * aspects / height
    assert 3 / 4 - 1e-4 < ratio.min() < 0.751
    assert 1.33 < ratio.max() < 4 / 3 + 1e-4
    assert 0.08 - 1e-4 < (height * width).min() < 0.082


def test_where_no_box_fits_one_is_made_smaller_in_its_proportions():
    """Of a picture 100 times as wide as high no box of 8 % is nearly square."""
    draws = draw(np.random.default_rng(0), 100, RESIZED, np.full(100, 100.0))
    assert (draws[:, 2] == 1).all()
    assert (draws[:, 3] * 100).min() > 3 / 4 - 1e-4
    assert (draws[:, 3] * 100).max() < 4 / 3 + 1e-4


def test_images_that_count_as_squares_get_the_draws_they_always_got():
    """Stretched ones, and all raw ones."""
    plain, ones = (
        draw(np.random.default_rng(0), 50, RESIZED, aspects) for aspects in (1.0, np.ones(50))
    )
    np.testing.assert_array_equal(plain, ones)


def test_a_plan_draws_by_the_images_that_a_step_sees():
    aspects = np.tile([1, 3.0], 20)
    plan = Plan(Shuffled(np.arange(40), 8), 1, (1, 2), RESIZED, aspects=aspects)
    for number, indices, draws in plan.epoch(0):
        generator = np.random.default_rng([1, 2, 1, number])
        np.testing.assert_array_equal(draws, draw(generator, 8, RESIZED, aspects[indices]))


def settings():
    choice = choice_of("baseline", "meta_bsce")
    return choice, task_settings(choice.later_task(), earlier=[4], recipe=CROPS)


class Recorder:
    """Stands for an engine: keeps what the steps get."""

    def __init__(self, training):
        self.training, self.plan, self.steps = training, training.plan, []

    def share_of(self, size):
        return slice(0, size)

    def take(self, steps, task):
        return one_by_one(self.training, self, steps, task)

    def step(self, images, labels, draws, *others):
        self.steps.append((images, labels, draws))
        return {"loss": 0.0}

    def write_back(self):
        """Has nothing to write."""


def test_a_step_gets_the_drawn_boxes_of_its_images(monkeypatch):
    images, labels = images_of(4, 7)
    whole, engines = encoded(images), []

    def engine(training):
        engines.append(Recorder(training))
        return engines[-1]

    choice, chosen = settings()
    teacher = first_task(choice)
    monkeypatch.setattr("tfcil.training.train.make_engine", engine)
    train_task(lambda: teacher, Concatenated(whole, whole[:0]), labels, chosen)
    (made,) = engines
    np.testing.assert_array_equal(made.plan.aspects, np.full(len(labels), 2.0))
    planned = [step for epoch in range(2) for step in made.plan.epoch(epoch)]
    assert len(made.steps) == len(planned) > 4
    for (boxes, seen, draws), (_, indices, drawn) in zip(made.steps, planned, strict=True):
        np.testing.assert_array_equal(draws, drawn)
        np.testing.assert_array_equal(seen, labels[indices])
        np.testing.assert_array_equal(boxes, whole.cropped(indices, drawn))


def test_images_that_were_cropped_while_reading_are_not_cropped_again():
    """Neither in a step nor by the hook of meta_bsce, which all call `augment`."""
    images, draws = np.zeros((3, 28, 28, 1), "uint8"), np.full((3, 5), 0.5, "float32")
    before = Augmentation(flip=True, resized_crop=True, while_reading=True)
    assert augment(images, draws, before) is images


class KilledError(Exception):
    """Stands for the end of the process."""


def test_killed_after_an_epoch_it_ends_the_same(tmp_path):
    images, labels = images_of(4, 7)
    whole, path = encoded(images), tmp_path / "00.npz"
    choice, chosen = settings()

    def train(on_epoch=None, checkpoint=None):
        make_deterministic()
        teacher = first_task(choice)
        model, *_ = train_task(lambda: teacher, whole, labels, chosen, on_epoch, checkpoint)
        return model.get_weights()

    def killed(row, epochs):
        raise KilledError

    expected = train()
    with pytest.raises(KilledError):
        train(killed, Checkpoint(path, "digest"))
    assert path.exists()
    for value, same in zip(train(None, Checkpoint(path, "digest")), expected, strict=True):
        np.testing.assert_array_equal(value, same)


def test_images_are_decoded_without_any_framework():
    script = (
        "import sys, numpy as np\n"
        "from tfcil.data.encoded import EncodedImages, encode\n"
        "images = np.arange(2 * 64, dtype='uint8').reshape(2, 8, 8, 1)\n"
        "some = [encode(image, size=7, resize='crop') for image in images]\n"
        "whole = EncodedImages.of(some, (7, 7, 1), 'crop')\n"
        "whole.cropped(np.arange(2), np.tile(np.float32([0, 0, 1, 1, 0]), (2, 1)))\n"
        "assert not {'keras', 'tensorflow', 'jax'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], env=os.environ, check=True)
