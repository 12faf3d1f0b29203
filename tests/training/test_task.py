"""One task: what is kept, what is trained, and the same answer twice, on JAX and on two devices."""

import dataclasses
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from two_tasks import learn, numbers

from tfcil.classifier import Head, grown, num_classes, plain, untrained
from tfcil.config.params import Method, TaskSettings
from tfcil.errors import UserError
from tfcil.methods import Increment, baseline
from tfcil.methods.classification import prior_shift
from tfcil.training import train_task


@pytest.fixture(scope="module")
def learned():
    return learn("none")


def in_a_process(tmp_path, name, backend="tensorflow", strategy="none", cpus=1, loss="bsce"):
    out = tmp_path / f"{name}.npz"
    script = Path(__file__).with_name("two_tasks.py")
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(
        [sys.executable, script, out, strategy, str(cpus), "baseline", loss],
        env=environment,
        check=True,
    )
    with np.load(out) as stored:
        return dict(stored)


def weights_of(stored):
    return [stored[f"weight{i}"] for i in range(len(stored) - 2)]


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
    """A teacher in training mode would drift with every batch of new images."""
    base = learned[0]
    again = learn("none")[0]
    for value, kept in zip(base.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(value, kept)


def test_student_moves_everywhere_old_columns_too(learned):
    base, _, student, _ = learned
    old, new = base.get_weights(), student.get_weights()
    assert new[-2].shape[1] == 10
    assert np.abs(new[-2][:, :4] - old[-2]).max() > 1e-4
    assert all(np.abs(a - b).max() > 0 for a, b in zip(old[:-2], new[:-2], strict=True))


def test_curve_names_the_terms_of_the_method(learned):
    _, base_curve, _, curve = learned
    seen = ["epoch", "stage", "images", "loss", "accuracy"]
    assert list(base_curve[0]) == [*seen, "classification"]
    assert list(curve[0]) == [*seen, "classification", "distillation"]
    assert [row["images"] for row in curve] == [100, 100]  # 98 images in batches of 20
    for row in curve:  # 4 of 10 classes are old
        assert row["loss"] == pytest.approx(
            row["classification"] + 0.4 * row["distillation"], rel=1e-5
        )


def test_two_runs_have_the_same_weights_to_the_bit(learned, tmp_path):
    other = in_a_process(tmp_path, "again")
    for value, same in zip(learned[2].get_weights(), weights_of(other), strict=True):
        np.testing.assert_array_equal(value, same)


def test_two_devices_give_the_weights_of_one(learned, tmp_path):
    """Gradients are summed over devices: a mean over each share would count them twice."""
    mirrored = in_a_process(tmp_path, "mirrored", strategy="mirrored", cpus=2)
    for value, same in zip(learned[2].get_weights(), weights_of(mirrored), strict=True):
        np.testing.assert_allclose(value, same, rtol=1e-5, atol=1e-5)


@pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs the extra `jax`")
def test_jax_takes_the_same_steps(learned, tmp_path):
    jax = in_a_process(tmp_path, "jax", backend="jax")
    np.testing.assert_allclose(jax["base_curve"], numbers(learned[1]), rtol=1e-3)
    np.testing.assert_allclose(jax["curve"], numbers(learned[3]), rtol=1e-3)


def test_counts_are_those_of_the_training_set_with_exemplars(monkeypatch):
    """Trap: exemplars stored but not trained on, or counted as their whole class."""
    seen, spied = [], baseline.METHOD

    def terms(options, increment):
        seen.append(increment)
        return spied.terms(options, increment)

    monkeypatch.setattr(baseline, "METHOD", dataclasses.replace(spied, terms=terms))
    learn("none")
    assert seen == [Increment(4, 6, (2, 2, 2, 2, 15, 15, 15, 15, 15, 15), (4,))]


def settings(method=None, **recipe):
    return TaskSettings.of({"recipe": {"epochs": 3} | recipe, "method": method}, "settings")


def images_of(labels):
    return np.random.default_rng(0).integers(0, 256, (len(labels), 28, 28, 1), dtype="uint8")


@pytest.mark.parametrize(
    ("labels", "told"),
    [([0, 1], "labels from 2 on"), ([0, 1, 2, 4], "none of class 3")],
)
def test_labels_that_do_not_fit_the_teacher_are_refused(labels, told):
    model = grown(untrained("simple_cnn", (28, 28, 1), [0.0], [1.0]), 2, np.random.default_rng(0))
    with pytest.raises(UserError, match=told):
        train_task(lambda: model, images_of(labels), labels, settings({}))


def test_a_loss_that_is_not_finite_stops_with_one_line():
    labels = np.arange(40) % 4
    model = untrained("simple_cnn", (28, 28, 1), [0.0], [1.0])
    diverging = settings(batch_size=8, learning_rate=1e30, schedule="constant")
    with pytest.raises(UserError, match="stopped being finite in epoch"):
        train_task(lambda: model, images_of(labels), labels, diverging)


def test_a_class_of_one_image_is_learned_alone():
    """Steps of one class: the batch is the whole training set where that is smaller."""
    model = grown(untrained("simple_cnn", (28, 28, 1), [0.0], [1.0]), 2, np.random.default_rng(0))
    student, curve = train_task(lambda: model, images_of([2]), np.array([2]), settings({}))
    assert student.output.shape == (None, 3)
    assert [row["epoch"] for row in curve] == [1, 2, 3]


def test_mixed_bfloat16_keeps_weights_and_logits_in_float32():
    labels = np.arange(40) % 4
    model = untrained("simple_cnn", (28, 28, 1), [0.0], [1.0], precision="mixed_bfloat16")
    student, curve = train_task(lambda: model, images_of(labels), labels, settings())
    assert {str(weight.dtype) for weight in student.weights} == {"float32"}
    assert keras.backend.standardize_dtype(student.output.dtype) == "float32"
    assert any(layer.compute_dtype == "bfloat16" for layer in student.layers)
    assert np.isfinite(curve[-1]["loss"])


@pytest.mark.parametrize("head", [Head(), Head("cosine"), Head("local_similarity", 3)])
def test_logit_adjustment_shifts_the_saved_logits_by_the_log_prior(head):
    model = untrained("simple_cnn", (28, 28, 1), [0.0], [1.0])
    student = grown(model, 3, np.random.default_rng(0), head)
    before = student(images_of([0, 1])).numpy()
    options = Method(loss="ce", logit_adjust=0.5)
    shift = prior_shift(options, Increment(2, 1, (10, 30, 60)))
    np.testing.assert_allclose(
        plain(student, shift)(images_of([0, 1])).numpy(),
        before - 0.5 * np.log([0.1, 0.3, 0.6]),
        atol=1e-5,
    )
