"""unit_replay: one vector per class is kept, and gradients of old classes are split as told."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from formulas import softmax
from loss_of_terms import task_of
from numpy.testing import assert_allclose
from tiny_tasks import images_of

from tfcil import classifier
from tfcil.components.recipe import Recipe
from tfcil.errors import UserError
from tfcil.learning.settings import Settings
from tfcil.learning.task import train_task
from tfcil.methods import unit_replay
from tfcil.training import Batch
from tfcil.training.objective import objective
from tfcil.training.train import Training


@pytest.fixture
def replayed():
    """Two old classes of a unit each, and three images of a new class: features of 4 numbers."""
    generator = np.random.default_rng(2)
    inputs = keras.Input((1, 1, 4))
    network = keras.Model(inputs, keras.layers.Flatten(name="features")(inputs))
    teacher = classifier.with_head(network, generator.normal(size=(4, 2)), np.zeros(2))
    return dataclasses.replace(
        task_of(2, [1, 1, 3]),
        teacher=teacher,
        images=generator.normal(size=(5, 1, 1, 4)).astype("float32"),
        recipe=Recipe(epochs=1, weight_decay=0.0),
    )


def gradients(task, **options):
    """Those of kernel and bias after the transforms, and the model they were taken at."""
    values = {"clip_norm": 1e9} | options
    phase = unit_replay.replay_phase(task, unit_replay.Options.of(values, ""))
    training = Training(task, phase, (1,))
    variables = training.student.trainable_variables
    with tf.GradientTape() as tape:
        batch = Batch(task.labels, training.student(task.images))
        sizes = [term.size(task.labels) for term in training.terms]
        loss, _ = objective(training.terms, sizes, len(task.labels), batch)
    found = tape.gradient(loss, [one.value for one in variables])
    found, _ = training.transformed(found, [], variables, 0)
    head = training.classifier.get_layer("logits")
    return [found[[one is each for each in variables].index(True)] for one in head.weights], head


def parts(task, head, unit_weight):
    """By hand: the gradients of the kernel from units and from new images, (4, 3) each."""
    x, labels = task.images[:, 0, 0].astype("float64"), task.labels
    kernel, bias = head.get_weights()
    slopes = softmax(x @ kernel + bias) - np.eye(3)[labels]
    # Two of three classes are old: a unit weighs 1/3, as the three new images do together.
    weights = np.where(labels < 2, unit_weight / 3, 1 / 9)[:, None]
    return [
        (x * own).T @ (weights * slopes) for own in ((labels < 2)[:, None], (labels == 2)[:, None])
    ]


@pytest.mark.parametrize("unit_weight", [1.0, 0.3])
def test_without_a_limit_the_gradient_is_that_of_the_cross_entropy(replayed, unit_weight):
    """To split it loses nothing, and the gradient of the logits adds up to 0 over the classes."""
    (kernel, bias), head = gradients(replayed, unit_weight=unit_weight, kappa=1e9)
    units, new = parts(replayed, head, unit_weight)
    assert_allclose(kernel, units + new, rtol=1e-5, atol=1e-6)
    assert float(tf.reduce_sum(bias)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kappa", [0.0, 0.1, 1.0])
def test_new_images_push_old_classes_at_most_kappa_times_as_units_pull(replayed, kappa):
    (kernel, _), head = gradients(replayed, kappa=kappa)
    units, new = parts(replayed, head, 1.0)
    lengths = [np.linalg.norm(one, axis=0) for one in (units, new)]
    factors = np.minimum(1, kappa * lengths[0] / lengths[1])
    factors[2] = 1  # the new class
    assert kappa == 1.0 or (factors[:2] < 1).all()
    assert_allclose(kernel, units + factors * new, rtol=1e-5, atol=1e-6)


def test_the_gradient_as_a_whole_is_clipped(replayed):
    found, _ = gradients(replayed, clip_norm=0.01)
    assert sum(np.sum(np.square(one)) for one in found) ** 0.5 == pytest.approx(0.01, rel=1e-5)


@pytest.fixture(scope="module")
def start():
    images, _ = images_of(0, 4, exemplars=0)
    return classifier.untrained("simple_cnn", images.shape[1:], [20.0], [60.0])


def learned(start, *tasks, name="unit_replay", statistics=None, **options):
    """Learns tasks, (first, last) classes each; returns the last model, its curve and units."""
    values = {
        "budget": 0,
        "method": {"name": name, "loss": "ce"},
        "recipe": {"epochs": 20, "batch_size": 16, "learning_rate": 0.1, "crop_padding": 2},
        "options": {name: options},
    }
    model, chosen = start, Settings.of(values, "settings")
    for first, last in tasks:
        images, labels = images_of(first, last, exemplars=0)
        known = classifier.num_classes(model)
        model, curve, statistics = train_task(
            lambda model=model: model,
            images,
            labels - first + known,
            chosen.of_task(not known),
            statistics=statistics,
        )
    return model, curve, statistics


def test_one_vector_per_class_is_kept_after_any_order_of_the_tasks(start):
    """It is the mean feature of all images of the class."""
    _, _, one = learned(start, (0, 4), (4, 7), (7, 9))
    _, _, other = learned(start, (0, 4), (7, 9), (4, 7))
    assert {name: array.shape for name, array in one.items()} == {"units": (9, 128)}
    assert np.array_equal(one["units"][[0, 1, 2, 3, 7, 8, 4, 5, 6]], other["units"])
    images, labels = images_of(7, 9, exemplars=0)
    expected = classifier.features_of(start, images[labels == 8]).mean(axis=0)
    assert_allclose(one["units"][8], expected, rtol=1e-5)


def test_old_classes_live_on_by_their_units(start):
    """With units they are recognised; without, new images push them out."""
    images, labels = images_of(0, 4, exemplars=0)

    def accuracy(**options):
        model, curve, _ = learned(start, (0, 4), (4, 7), adapt=True, **options)
        assert curve[-1]["balance"] > 0
        return np.mean(model.predict(images, verbose=0).argmax(axis=1) == labels)

    assert accuracy() > 0.8
    assert accuracy(unit_weight=0.0, kappa=1e9) < 0.5


@pytest.mark.parametrize(("first", "second"), [("ncm", "unit_replay"), ("unit_replay", "ncm")])
def test_classes_whose_units_are_missing_are_refused(start, first, second):
    model, _, statistics = learned(start, (0, 4), name=first)
    with pytest.raises(UserError, match=r"statistics .* 4 classes before: .* those of 0 classes$"):
        learned(model, (4, 7), name=second, statistics=statistics)
