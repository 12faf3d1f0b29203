"""Closed-form methods learn tasks: in any order, without images of old classes, as plain Keras."""

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose
from tiny_tasks import images_of

from tfcil import classifier
from tfcil.errors import UserError
from tfcil.learning.settings import Settings
from tfcil.learning.task import train_task

METHODS = ["ncm", "lda", "ridge", "ranpac"]
FIXED = {  # nothing is chosen on images held out, so that the order of the tasks is all
    "lda": {"shrinkage": 0.1},
    "ridge": {"strength": 0.01},
    "ranpac": {"projections": 300, "strength": 0.01},
}


@pytest.fixture(scope="module")
def start():
    images, _ = images_of(0, 4, exemplars=0)
    return classifier.untrained("simple_cnn", images.shape[1:], [127.0], [60.0])


def settings(name, **options):
    values = {"budget": 0, "method": {"name": name, "loss": "ce"}, "recipe": {"epochs": 1}}
    given = FIXED.get(name, {}) | options
    return Settings.of(values | {"options": {name: given}}, "settings")


def learned(start, chosen, *tasks, **others):
    """Learns tasks, (first, last) classes each; returns the models and what was kept."""
    model, statistics, models = start, {}, []
    for first, last in tasks:
        images, labels = images_of(first, last, exemplars=0)
        model, _, statistics = train_task(
            lambda model=model: model,
            images,
            labels - labels.min() + (0 if model is start else classifier.num_classes(model)),
            chosen.of_task(model is start),
            statistics=statistics,
            **others,
        )
        models.append(model)
    return models, statistics


def head_of(model):
    return model.get_layer("logits").get_weights()


def accuracy(model, images, labels):
    return np.mean(model.predict(images, verbose=0).argmax(axis=1) == labels)


def directions_of(model):
    """Kernel and bias but for their common factor, which the last task's images held out decide."""
    kernel, bias = head_of(model)
    length = np.linalg.norm(kernel)
    return kernel / length, bias / length


@pytest.mark.parametrize("name", METHODS)
def test_two_orders_of_the_tasks_give_equal_models(start, name):
    """Classes 4 to 6 before or after 7 and 8; only their logits change places."""
    chosen = settings(name)
    one, _ = learned(start, chosen, (0, 4), (4, 7), (7, 9))
    other, _ = learned(start, chosen, (0, 4), (7, 9), (4, 7))
    places = [0, 1, 2, 3, 6, 7, 8, 4, 5]
    for array, moved in zip(directions_of(one[-1]), directions_of(other[-1]), strict=True):
        assert_allclose(array, moved[..., places], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_three_tasks_are_one_task_of_all_classes(start, name):
    chosen = settings(name)
    tasks, kept = learned(start, chosen, (0, 4), (4, 7), (7, 9))
    whole, _ = learned(start, chosen, (0, 9))
    for array, expected in zip(directions_of(tasks[-1]), directions_of(whole[-1]), strict=True):
        assert_allclose(array, expected, rtol=1e-4, atol=1e-6)
    images, labels = images_of(0, 9, exemplars=0)
    assert accuracy(tasks[-1], images, labels) > 0.5
    assert not any(array.dtype == "uint8" for array in kept.values())


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("name", ["ridge", "ranpac"])
def test_balanced_classes_weigh_the_same_however_many_images_they_have(start, name, balanced):
    """All images of class 1 come twice."""
    images, labels = images_of(0, 4, exemplars=0)
    chosen = settings(name, balanced=balanced).of_task(True)
    more = np.concatenate([np.arange(len(labels)), np.flatnonzero(labels == 1)])
    one, other = (
        directions_of(train_task(lambda: start, images[rows], labels[rows], chosen)[0])
        for rows in (np.arange(len(labels)), more)
    )
    same = [np.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(one, other, strict=True)]
    assert all(same) == balanced


@pytest.mark.parametrize("name", METHODS)
def test_strengths_are_chosen_on_images_held_out(start, name):
    images, labels = images_of(0, 9, exemplars=0)
    (model,), _ = learned(
        start, settings(name, **({"projections": 300} if name == "ranpac" else {})), (0, 9)
    )
    assert accuracy(model, images, labels) > 0.5


@pytest.mark.parametrize("name", METHODS)
def test_one_image_of_each_class_is_enough(start, name):
    images, labels = images_of(0, 4, exemplars=0)
    _, first = np.unique(labels, return_index=True)
    options = {"projections": 300} if name == "ranpac" else {}
    chosen = settings(name, **options).of_task(True)
    model, *_ = train_task(lambda: start, images[first], labels[first], chosen)
    assert accuracy(model, images[first], labels[first]) == 1


def test_lda_tells_of_a_covariance_that_has_no_inverse(start):
    """128 features vary in 56 directions at most, as 60 images of 4 classes do."""
    told = r"^options\.lda\.shrinkage: expected more, .* Received: options\.lda\.shrinkage=0\.0$"
    with pytest.raises(UserError, match=told):
        learned(start, settings("lda", shrinkage=0.0), (0, 4))


@pytest.mark.parametrize("name", METHODS)
def test_the_model_is_plain_keras_with_a_frozen_network(start, name, tmp_path):
    (model,), _ = learned(start, settings(name), (0, 4))
    classifier.save_classifier(model, tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras")
    images, _ = images_of(0, 4, exemplars=0)
    assert_allclose(opened.predict(images, verbose=0), model.predict(images, verbose=0), rtol=1e-5)
    names = [layer.name for layer in opened.layers]
    after = names[names.index("features") + 1 :]
    assert after == (["projection", "logits"] if name == "ranpac" else ["logits"])
    assert classifier.is_frozen(opened)
    for before, now in zip(start.get_weights(), opened.get_weights(), strict=False):
        assert np.array_equal(before, now)


def test_the_first_task_may_adapt_the_network_and_later_ones_leave_it(start):
    models, _ = learned(start, settings("ncm", adapt=True), (0, 4), (4, 7))
    networks = [model.get_weights()[:-2] for model in models]
    assert any(
        not np.array_equal(before, after)
        for before, after in zip(start.get_weights(), networks[0], strict=True)
    )
    for before, after in zip(*networks, strict=True):
        assert np.array_equal(before, after)


def test_a_network_whose_classes_left_no_statistics_is_refused(start):
    (model,), _ = learned(start, settings("ncm"), (0, 4))
    images, labels = images_of(4, 7, exemplars=0)
    with pytest.raises(
        UserError,
        match=r"statistics that it kept of the 4 classes before: .* Received: those of 0 classes$",
    ):
        train_task(lambda: model, images, labels, settings("lda").of_task(False))
