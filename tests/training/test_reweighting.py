"""Gradient reweighting of the head: official steps, cases by hand, and its properties."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from formulas import softmax
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_tasks import choice_of, first_task, learn, of_backbone

from tfcil import classifier, losses
from tfcil.training import HeadReweighting, column_factors

CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def linear(backbone, kernel):
    """A float64 classifier: two products."""
    inputs = keras.Input((backbone.shape[1],), dtype="float64")
    options = {"dtype": "float64"}
    x = keras.layers.Dense(len(backbone), use_bias=False, name="features", **options)(inputs)
    return keras.Model(inputs, keras.layers.Dense(len(kernel), name="logits", **options)(x))


def official(oracle, case):
    """Yields the numbers of each step, and those of the case."""
    stored = oracle("dgr")
    of_case = {key: value for key, value in stored.items() if key.startswith(f"{case}_")}
    for step in range(int(stored["n_steps"])):
        start = f"{case}_s{step}_"
        numbers = {k.removeprefix(start): v for k, v in of_case.items() if k.startswith(start)}
        yield step, numbers, {k.removeprefix(f"{case}_"): v for k, v in of_case.items()}


@pytest.mark.parametrize("case", ["t0", "t2", "tail"])
def test_official_steps(oracle, case):
    """The first task, a third one, and a third one of few new images, on float64."""
    state = None
    for step, numbers, whole in official(oracle, case):
        num_old = int(whole.get("n_old", 0))
        model = linear(numbers["backbone"], numbers["head_weight"])
        model.set_weights([numbers["backbone"].T, numbers["head_weight"].T, numbers["head_bias"]])
        student, apart = model, None
        if num_old:
            student, apart = classifier.with_gradients_apart(model, num_old)
        damping = float(whole.get("gamma", 1.0))
        transform = HeadReweighting(model.get_layer("logits"), apart, num_old, damping)
        variables = student.trainable_variables
        first = transform.init(variables)
        state = state or [tf.zeros(first[0].shape, "float64")]
        gradients = tape_gradients(student, variables, numbers, whole)
        found, state = transform.update(gradients, state, [], step)
        backbone, kernel, bias, *rest = found
        np.testing.assert_allclose(state[0], numbers["phi"], **CLOSE)
        factors = column_factors(state[0], num_old, damping)
        np.testing.assert_allclose(factors, numbers["row_factor"], **CLOSE)
        np.testing.assert_allclose(backbone, numbers["grad_backbone"].T, **CLOSE)
        np.testing.assert_allclose(kernel, numbers["grad_head_weight"].T, **CLOSE)
        np.testing.assert_allclose(bias, numbers["grad_head_bias"], **CLOSE)
        assert all((one.numpy() == 0).all() for one in rest)


def tape_gradients(student, variables, numbers, whole):
    """The gradients of the sum of classification and distillation."""
    counts, x = whole["n_per_class_current"], tf.constant(numbers["x"])
    with tf.GradientTape() as tape:
        outputs = student(x)
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs
        values = losses.balanced_softmax_crossentropy(numbers["labels"], logits, counts)
        if isinstance(outputs, dict):
            old = numbers["x"] @ whole["old_backbone"].T @ whole["old_head_weight"].T
            values += float(whole["kd_ratio"]) * losses.distribution_aware_distillation(
                old + whole["old_head_bias"],
                outputs["old_logits"],
                whole["lost_counts_old"],
                float(2),
            )
        loss = tf.reduce_mean(values)
    return tape.gradient(loss, [one.value for one in variables])


def norms_of(counts, shift):
    """Norms of the gradient by each class's vector, of one unit feature per class, zero logits."""
    labels = np.repeat(np.arange(len(counts)), counts)
    features = np.eye(len(counts))[labels]
    slopes = softmax(np.tile(shift, (len(labels), 1))) - features
    return np.linalg.norm(features.T @ slopes / len(labels), axis=0)


@pytest.mark.parametrize(
    ("shift", "expected"), [(np.zeros(3), 0.564076), (np.log([4, 1, 1]), 0.661438)]
)
def test_counts_of_4_1_1_by_hand(shift, expected):
    """Cross-entropy: sqrt(7/22). The balanced softmax, sqrt(0.4375), does a part of it."""
    found = column_factors(tf.constant(norms_of([4, 1, 1], shift)), 0)
    np.testing.assert_allclose(found, [expected, 1, 1], rtol=1e-6)


def test_two_classes_have_the_ratio_1():
    """Their gradients are opposite."""
    np.testing.assert_allclose(
        column_factors(tf.constant(norms_of([7, 2], np.zeros(2))), 0), [1, 1], rtol=1e-12
    )


sums_of_classes = st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=8)


@settings(max_examples=40, deadline=None)
@given(old=sums_of_classes, new=sums_of_classes, damping=st.floats(0.1, 1))
def test_factors_are_above_0_at_most_1_and_official_or_symmetric(old, new, damping):
    sums = tf.constant(old + new, "float64")
    ratio = np.mean(new) / np.mean(old)
    for task_ratio, other in (("official", ratio), ("symmetric", 1 / ratio)):
        found = column_factors(sums, len(old), damping, task_ratio).numpy()
        assert (found > 0).all()
        assert (found <= 1 + 1e-12).all()
        largest = [found[: len(old)].max(), found[len(old) :].max()]
        expected = [min(1, ratio), min(1, damping * other)]
        np.testing.assert_allclose(largest, expected, rtol=1e-9)


def test_a_class_without_any_gradient_changes_no_other():
    """It is none of a group's minimum, and nothing is divided by 0."""
    found = column_factors(tf.constant([0.0, 2.0, 4.0], "float32"), 0).numpy()
    assert found.tolist() == [1.0, 1.0, 0.5]
    nothing = column_factors(tf.zeros(5), 2).numpy()
    assert np.isfinite(nothing).all()


def test_the_first_step_of_the_backbone_is_that_of_plain_training():
    """Only the head is reweighted; the old logits read apart give it the same gradient."""
    recipe = {"epochs": 1, "batch_size": 60, "learning_rate": 1e-2, "weight_decay": 1e-3}
    moved = []
    for reweighting in ("none", "official"):
        choice = choice_of("baseline", "bsce", baseline={"reweighting": reweighting})
        phase = learn(first_task(choice), 1, choice, recipe=recipe).phases[0]
        moved.append(phase.student[1])
    plain, reweighted = map(of_backbone, moved)
    for name in plain:
        for value, same in zip(plain[name], reweighted[name], strict=True):
            np.testing.assert_allclose(value, same, rtol=1e-5, atol=1e-7)
    assert np.abs(moved[0]["logits"][0] - moved[1]["logits"][0]).max() > 1e-6


def test_the_weights_apart_stay_0():
    choice = choice_of("dgr", "bsce")
    phase = learn(first_task(choice), 1, choice).phases[0]
    for value in phase.student[1]["old_logits"][:2]:
        assert (value == 0).all()
