"""tfcil.learn: one task after the other from arrays, without files."""

import numpy as np
import pytest
from characters import characters

import tfcil
from tfcil.errors import UserError

RECIPE = {"epochs": 20, "batch_size": 16, "learning_rate": 0.1, "crop_padding": 2}


def test_two_tasks_make_one_model_that_knows_both():
    images, labels = characters(0, 4)
    first, memory = tfcil.learn(images, labels, budget=16, recipe=RECIPE)
    assert memory.counts(4).tolist() == [4, 4, 4, 4]
    before = [weight.copy() for weight in first.get_weights()]
    more_images, more_labels = characters(4, 7)
    second, memory = tfcil.learn(more_images, more_labels, first, memory, 16, RECIPE)
    assert second.output.shape == (None, 7)
    assert memory.counts(7).tolist() == [2] * 7
    for weight, kept in zip(first.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, kept)
    # The teacher was frozen for the step, not for whoever goes on from it.
    assert all(layer.trainable for layer in (*first.layers, *second.layers))
    predicted = second.predict(np.concatenate([images, more_images]), verbose=0).argmax(axis=1)
    accuracy = np.mean(predicted == np.concatenate([labels, more_labels]))
    assert accuracy > 0.8
    assert np.mean(predicted[: len(labels)] == labels) > 0.6


def test_labels_that_do_not_go_on_are_refused():
    images, labels = characters(0, 4)
    with pytest.raises(UserError, match="none of class 0"):
        tfcil.learn(images, labels + 1, recipe=RECIPE)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda labels: labels - 1, r"integers from 0 on.* Received: -1"),
        (lambda labels: labels.astype(str), r"integers from 0 on.* Received: 0"),
        (lambda labels: labels.astype("float32"), r"integers as labels\. Received: float"),
        (lambda labels: np.eye(4)[labels], r"argmax\(axis=1\) turns one-hot .* shape \(60, 4\)"),
        (lambda labels: labels[:-1], r"one label per image\. Received: 60 images, 59 labels"),
    ],
)
def test_labels_of_another_kind_are_told_in_one_line(change, told):
    images, labels = characters(0, 4)
    with pytest.raises(UserError, match=told) as error:
        tfcil.learn(images, change(labels), budget=8, recipe=RECIPE)
    assert "\n" not in str(error.value)


def test_arrays_are_taken_as_keras_and_numpy_give_them():
    """Labels of keras.datasets are a column, and uint8 images divided by 255 are float64."""
    images, labels = characters(0, 4)
    recipe = RECIPE | {"epochs": 1}
    _, memory = tfcil.learn(images / 255.0, labels[:, None], budget=8, recipe=recipe)
    assert (memory.images.dtype, memory.counts(4).tolist()) == ("float32", [2] * 4)


def test_a_budget_has_room_for_an_exemplar_of_each_class():
    """With less, the equal share of a class is rounded down to none."""
    with pytest.raises(UserError, match=r"each of the 4 classes\. Received: budget=3"):
        tfcil.learn(*characters(0, 4), budget=3, recipe=RECIPE)


def test_a_misspelt_setting_is_refused():
    with pytest.raises(UserError, match=r"learn: .*recipe\.epoch: .*\(did you mean epochs\?\)"):
        tfcil.learn(*characters(0, 2), recipe={"epoch": 3})
    with pytest.raises(UserError, match=r"learn: options\.wa\.tau: no such key"):
        tfcil.learn(*characters(0, 2), options={"wa": {"tau": 3}})


def test_options_decide_how_a_task_is_learned():
    """With a strength of 0 the balanced softmax is plain cross-entropy, on the first task as well.

    So they differ by rounding; the balanced one differs by far, as the classes do in size.
    """
    images, labels = characters(0, 2)
    chosen = np.flatnonzero((labels == 0) | (np.cumsum(labels) < 4))
    unequal = images[chosen], labels[chosen]
    kernels = []
    for loss, tau in (("ce", 1.0), ("bsce", 0.0), ("bsce", 1.0)):
        options = {"bsce": {"tau": tau, "first_task": True}}
        model, _ = tfcil.learn(
            *unequal, recipe=RECIPE | {"epochs": 2}, method={"loss": loss}, options=options
        )
        kernels.append(np.array(model.get_layer("logits").kernel))
    np.testing.assert_allclose(kernels[1], kernels[0], atol=1e-5)
    assert np.abs(kernels[2] - kernels[0]).max() > 1e-3
