"""Corrections after any method: the model is plain Keras and finite, and the head has moved."""

import keras
import numpy as np
import pytest
from tiny_tasks import choice_of, head_of, learn, run

from tfcil.classifier import LOGITS, copied, expose, forward, num_classes
from tfcil.corrections.bias_layer import corrected_logits, fit_bias
from tfcil.errors import UserError
from tfcil.training.train import Training

NUM_OLD, NUM_NEW, EXEMPLARS, IMAGES = 4, 3, 3, 15
COUNTS = (EXEMPLARS,) * NUM_OLD + (IMAGES,) * NUM_NEW
COMBINED = [
    ("baseline", "ce", "balanced_finetuning"),
    ("ssil", "ce", "balanced_finetuning"),
    ("icarl", "ce", "bias_layer"),
    ("replay", "ce", "bias_layer"),
    ("lucir", "ce", "logit_adjustment"),
    ("podnet", "nca", "logit_adjustment"),
    ("baseline", "ce", "logit_adjustment"),
    ("eeil", "ce", "weight_aligning"),
    ("der", "ce", "weight_aligning"),
    ("baseline", "bsce", "retrain_head"),
    ("der", "ce", "retrain_head"),
    ("icarl", "bce", "retrain_head"),
    ("ssil", "ce", "retrain_head"),
    ("baseline", "ce", "uppercase_head"),
    ("der", "ce", "uppercase_head"),
]


def logits_of(found):
    return forward(expose(found.student, LOGITS), found.images)[LOGITS]


@pytest.mark.parametrize(("name", "loss", "correction"), COMBINED)
def test_the_corrected_model_is_plain_keras_and_another_one(tmp_path, name, loss, correction):
    found, plain = run(name, loss, correction), run(name, loss, "none")
    logits = logits_of(found)
    assert logits.shape == (len(found.labels), 7)
    assert np.isfinite(logits).all()
    assert np.abs(logits - logits_of(plain)).max() > 1e-3
    assert num_classes(found.student) == 7
    assert {type(layer).__module__.split(".")[0] for layer in found.student.layers} == {"keras"}
    assert all(layer.trainable for layer in found.student.layers)
    found.student.save(tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(opened.predict(found.images, verbose=0), logits, atol=1e-5)


@pytest.mark.parametrize("name", ["baseline", "ssil"])
def test_balanced_finetuning_trains_the_whole_network_on_cross_entropy(name):
    found = run(name, "ce", "balanced_finetuning")
    assert [phase.name for phase in found.phases] == ["main", "balancing"]
    balancing = found.phases[1]
    assert np.bincount(balancing.task.labels).tolist() == [EXEMPLARS] * 7
    assert balancing.teacher == [None, None]
    assert list(found.curve[1])[3:] == ["loss", "accuracy", "classification"]
    before, after = balancing.student
    for layer in (LOGITS, "convolution"):
        assert np.abs(after[layer][0] - before[layer][0]).max() > 0


@pytest.mark.parametrize(("name", "loss"), [("lucir", "ce"), ("podnet", "nca"), ("baseline", "ce")])
def test_logit_adjustment_takes_the_log_prior_off_the_logits(name, loss):
    """Of any head; the training before it is the same."""
    adjusted, plain = run(name, loss, "logit_adjustment"), run(name, loss, "none")
    shift = -np.log(np.array(COUNTS) / np.sum(COUNTS))
    np.testing.assert_allclose(logits_of(adjusted) - logits_of(plain), [shift] * 57, atol=1e-5)


@pytest.mark.parametrize("name", ["eeil", "der"])
def test_weight_aligning_gives_new_columns_the_mean_norm_of_the_old_ones(name):
    found = run(name, "ce", "weight_aligning")
    assert [phase.name for phase in found.phases] == ["main"]
    assert_aligned(found)


def test_wa_is_published_with_it():
    assert_aligned(run("wa"))


def assert_aligned(found):
    kernel, bias = found.student.get_layer(LOGITS).get_weights()
    trained, trained_bias = head_of(found.phases[0].student[1])

    def norms(matrix):
        each = np.linalg.norm(matrix, axis=0)
        return each[:NUM_OLD].mean(), each[NUM_OLD:].mean()

    old, new = norms(kernel)
    assert new == pytest.approx(old, rel=1e-5)
    assert abs(np.subtract(*norms(trained))) > 1e-3
    np.testing.assert_array_equal(kernel[:, :NUM_OLD], trained[:, :NUM_OLD])
    np.testing.assert_array_equal(bias, trained_bias)


@pytest.mark.parametrize(("loss", "correction"), [("bsce", "default"), ("ce", "none")])
def test_without_a_correction_the_head_is_as_it_was_trained(loss, correction):
    found = run("wa", loss, correction)
    for value, trained in zip(
        found.student.get_layer(LOGITS).get_weights(),
        head_of(found.phases[0].student[1]),
        strict=True,
    ):
        np.testing.assert_array_equal(value, trained)


@pytest.mark.parametrize("name", ["bic", "icarl"])
def test_bias_layer_holds_images_out_that_are_neither_trained_on_nor_counted(name):
    """0.4 of 3 exemplars is 1 of each old class, and as many of each new one."""
    found = run(name, "ce", "bias_layer")
    (main,) = found.phases
    counts = (EXEMPLARS - 1,) * NUM_OLD + (IMAGES - 1,) * NUM_NEW
    assert main.task.class_counts == counts
    held, trained_on = main.task.reserved, main.task
    assert np.bincount(held.labels).tolist() == [1] * 7
    everything = np.concatenate([held.images[:], trained_on.images[:]])
    assert sorted(map(bytes, everything)) == sorted(map(bytes, found.images))
    assert run(name, "ce", "none").phases[0].task.class_counts == COUNTS


@pytest.mark.parametrize("name", ["bic", "icarl"])
def test_bias_layer_is_fitted_on_the_held_out_images_and_folded_into_the_head(name):
    """The logits of the saved model are the corrected ones."""
    found = run(name, "ce", "bias_layer")
    (main,) = found.phases
    trained = copied(found.student)
    trained.get_layer(LOGITS).set_weights(head_of(main.student[1]))

    def logits(model, images):
        return forward(expose(model, LOGITS), images)[LOGITS]

    held = main.task.reserved
    alpha, beta = fit_bias(logits(trained, held.images), held.labels, NUM_OLD)
    assert (alpha, beta) != (1, 0)
    expected = corrected_logits(logits(trained, found.images), NUM_OLD, alpha, beta)
    np.testing.assert_allclose(logits_of(found), expected, atol=1e-5)


def test_bias_layer_tells_in_one_line_that_its_memory_is_too_small(monkeypatch):
    teacher, choice = run("bic").teacher, choice_of("bic")
    monkeypatch.setattr(Training, "__init__", None)
    with pytest.raises(UserError) as error:
        learn(teacher, 1, choice, exemplars=1)
    assert "memory of at least 2 per class. Received: 1 per class" in str(error.value)
    assert "\n" not in str(error.value)
