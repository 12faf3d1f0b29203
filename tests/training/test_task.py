"""One task: what is kept, what is trained, and what is refused."""

import random

import keras
import numpy as np
import pytest
from tiny_tasks import chain

from tfcil.classifier import grown, num_classes, untrained
from tfcil.components.facts import Head
from tfcil.config.settings import TaskSettings
from tfcil.errors import UserError
from tfcil.learning.task import train_task


@pytest.fixture(scope="module")
def learned():
    return chain()


def test_growing_keeps_old_logits_and_leaves_the_teacher_alone():
    model = untrained("simple_cnn", (28, 28, 1), [20.0], [60.0], seed=0)
    generator = np.random.default_rng(0)
    three = grown(model, 3, generator)
    before = three.get_weights()
    five = grown(three, 2, generator)
    images = np.random.default_rng(1).integers(0, 256, (6, 28, 28, 1), dtype="uint8")
    np.testing.assert_allclose(five(images)[:, :3], three(images), atol=1e-5)
    assert [num_classes(one) for one in (model, three, five)] == [0, 3, 5]
    five.set_weights([value + 1 for value in five.get_weights()])
    for value, kept in zip(three.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_teacher_is_frozen_with_its_batch_statistics(learned):
    """A teacher in training mode would drift with every batch of new images.

    And the student, which began as a copy of it, must have moved: else nothing is shown.
    """
    base, before, _, student = learned
    statistics = [layer for layer in base.layers if "moving_mean" in dir(layer)]
    assert statistics
    for value, kept in zip(base.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    for layer in statistics:
        moved = student.get_layer(layer.name).moving_mean - layer.moving_mean
        assert np.abs(moved).max() > 1e-3


def test_student_moves_everywhere_old_columns_too(learned):
    base, *_, student = learned
    old, new = base.get_weights(), student.get_weights()
    assert new[-2].shape[1] == 10
    assert np.abs(new[-2][:, :4] - old[-2]).max() > 1e-4
    assert all(np.abs(a - b).max() > 0 for a, b in zip(old[:-2], new[:-2], strict=True))


def test_curve_names_the_terms_of_the_method(learned):
    first, _, *curve = learned[2]
    seen = ["epoch", "phase", "images", "loss", "accuracy"]
    assert list(first) == [*seen, "classification"]
    assert list(curve[0]) == [*seen, "classification", "distillation"]
    assert [row["images"] for row in curve] == [100, 100]  # 98 images in batches of 20
    for row in curve:  # 4 of 10 classes are old
        assert row["loss"] == pytest.approx(
            row["classification"] + 0.4 * row["distillation"], rel=1e-5
        )


def settings(method=None, **recipe):
    values = {"recipe": {"epochs": 3} | recipe, "method": method}
    return TaskSettings.of(values, "settings")


REPLAY = {"name": "replay"}


def images_of(labels):
    return np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28, 1), dtype="uint8")


@pytest.mark.parametrize(
    ("labels", "told"),
    [([0, 1], "labels from 2 on"), ([0, 1, 2, 4], "none of class 3")],
)
def test_labels_that_do_not_fit_the_teacher_are_refused(labels, told):
    model = grown(untrained("simple_cnn", (28, 28, 1), [0.0], [1.0]), 2, np.random.default_rng(0))
    with pytest.raises(UserError, match=told):
        train_task(lambda: model, images_of(labels), labels, settings(REPLAY))


@pytest.mark.parametrize(("known", "method"), [(0, REPLAY), (2, None)])
def test_a_method_learns_every_task_but_the_first(known, method):
    model = untrained("simple_cnn", (28, 28, 1), [0.0], [1.0])
    if known:
        model = grown(model, known, np.random.default_rng(0))
    labels = np.array([0, 1, 2])
    with pytest.raises(UserError, match="a method for every task but the first") as told:
        train_task(lambda: model, images_of(labels), labels, settings(method))
    assert f"a model of {known} classes" in str(told.value)


def test_images_of_another_size_are_refused():
    model = untrained("simple_cnn", (32, 32, 1), [0.0], [1.0])
    with pytest.raises(UserError, match=r"images \(32, 32, 1\).*Received: images \(28, 28, 1\)"):
        train_task(lambda: model, images_of([0, 1]), np.array([0, 1]), settings())


def test_a_head_of_another_kind_is_refused():
    model = grown(untrained("simple_cnn", (28, 28, 1), [0.0], [1.0]), 2, np.random.default_rng(0))
    cosine = settings({"name": "lucir"}).model_copy(update={"head": Head(kind="cosine")})
    labels = np.array([0, 1, 2])
    with pytest.raises(UserError, match="Received: a linear head"):
        train_task(lambda: model, images_of(labels), labels, cosine)


def dropping():
    """A network that draws numbers while it is trained."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(4)(inputs))
    outputs = keras.layers.Dropout(0.5, name="features")(keras.layers.Rescaling(1 / 255)(x))
    return keras.Model(inputs, outputs)


def test_a_task_draws_by_its_seed_alone_and_leaves_the_state_of_others():
    """Keras seeds the copy of a Dropout from the global state of Python."""
    found, labels = [], np.arange(20) % 2
    for seed in (1, 2):
        model = dropping()
        random.seed(seed)
        np.random.seed(seed)
        expected = [random.getstate(), np.random.get_state()[1].tolist()]
        student, *_ = train_task(lambda model=model: model, images_of(labels), labels, settings())
        assert [random.getstate(), np.random.get_state()[1].tolist()] == expected
        found.append(student.get_weights()[-2])
    np.testing.assert_array_equal(*found)


def test_a_loss_that_is_not_finite_stops_with_one_line():
    labels = np.arange(40) % 4
    model = untrained("simple_cnn", (28, 28, 1), [0.0], [1.0])
    diverging = settings(batch_size=8, learning_rate=1e30, schedule="constant")
    with pytest.raises(UserError, match="stopped being finite in epoch"):
        train_task(lambda: model, images_of(labels), labels, diverging)


def test_a_class_of_one_image_is_learned_alone():
    """Steps of one class: the batch is the whole training set where that is smaller."""
    model = grown(untrained("simple_cnn", (28, 28, 1), [0.0], [1.0]), 2, np.random.default_rng(0))
    student, curve, _ = train_task(lambda: model, images_of([2]), np.array([2]), settings(REPLAY))
    assert student.output.shape == (None, 3)
    assert [row["epoch"] for row in curve] == [1, 2, 3]


def test_mixed_bfloat16_keeps_weights_and_logits_in_float32():
    labels = np.arange(40) % 4
    model = untrained("simple_cnn", (28, 28, 1), [0.0], [1.0], precision="mixed_bfloat16")
    student, curve, _ = train_task(lambda: model, images_of(labels), labels, settings())
    assert {str(weight.dtype) for weight in student.weights} == {"float32"}
    assert keras.backend.standardize_dtype(student.output.dtype) == "float32"
    assert any(layer.compute_dtype == "bfloat16" for layer in student.layers)
    assert np.isfinite(curve[-1]["loss"])
