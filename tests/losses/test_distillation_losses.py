"""Distillation of logits, features and feature maps: values by hand, exact zeros."""

import numpy as np
import pytest
import tensorflow as tf

from tfcil import losses
from tfcil.errors import UserError

FUNCTIONS = [
    losses.logit_distillation,
    losses.less_forget,
    losses.pod_flat,
    losses.pod_spatial,
]


def taskwise_distillation(teacher, student):
    return losses.taskwise_distillation(teacher, student, task_sizes=(3, 4))


def weighted_distillation(teacher, student):
    """With equal weights: other ones move the student even where it equals the teacher."""
    return losses.weighted_distillation(teacher, student, class_weights=[0.3] * 7)


TERMS = [*FUNCTIONS, taskwise_distillation, weighted_distillation]


def example(loss, seed, dtype="float64"):
    shape = (5, 4, 3, 6) if loss is losses.pod_spatial else (5, 7)
    return np.random.default_rng(seed).normal(size=shape).astype(dtype) * 3


def gradients(loss, *inputs):
    inputs = [tf.constant(array) for array in inputs]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = loss(*inputs)
    return tape.gradient(value, inputs)


@pytest.mark.parametrize("loss", TERMS)
def test_one_value_per_sample_each_of_its_own_sample(loss):
    teacher, student = example(loss, 0), example(loss, 1)
    values = loss(teacher, student)
    assert values.shape == (5,)
    np.testing.assert_allclose(loss(teacher[2:3], student[2:3]), values[2:3], rtol=1e-12)
    assert (np.array(values) > 0).all()


@pytest.mark.parametrize("loss", TERMS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_equal_inputs_give_loss_and_gradient_of_exactly_0(loss, dtype):
    """Otherwise a student that has not moved would drift on rounding noise, or on NaN."""
    x = tf.cast(example(loss, 0), dtype)
    assert not np.any(loss(x, x))
    teacher = tf.identity(x)
    assert not np.any(tf.cast(gradients(lambda s: loss(teacher, s), x)[0], "float32"))


@pytest.mark.parametrize("loss", TERMS)
def test_samples_that_are_equal_do_not_disturb_the_others(loss):
    teacher, student = example(loss, 0), example(loss, 1)
    student[1] = teacher[1]
    found = gradients(lambda s: loss(teacher, s), student)[0]
    assert not np.any(found[1])
    expected = gradients(lambda s: loss(teacher[2:], s), student[2:])[0]
    np.testing.assert_allclose(found[2:], expected, rtol=1e-12)


@pytest.mark.parametrize("loss", TERMS)
def test_no_gradient_reaches_the_teacher(loss):
    teacher, student = gradients(loss, example(loss, 0), example(loss, 1))
    assert teacher is None
    assert np.any(student)


@pytest.mark.parametrize("loss", TERMS)
def test_half_precision_is_computed_in_float32(loss):
    teacher, student = (tf.cast(example(loss, seed), "bfloat16") for seed in (0, 1))
    found = loss(teacher, student)
    assert found.dtype == tf.float32
    exact = loss(tf.cast(teacher, "float32"), tf.cast(student, "float32"))
    np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("loss", TERMS)
def test_teacher_may_have_another_float_type(loss):
    """Cached float64 or bfloat16 outputs of a teacher against a float32 student."""
    student = example(loss, 1, "float32")
    for dtype in ("float64", "bfloat16"):
        teacher = tf.cast(example(loss, 0), dtype)
        found = loss(teacher, student)
        assert found.dtype == tf.float32
        np.testing.assert_array_equal(found, loss(tf.cast(teacher, "float32"), student))


@pytest.mark.parametrize("loss", [losses.less_forget, losses.pod_flat, losses.pod_spatial])
def test_all_zero_sample_keeps_loss_and_gradient_finite(loss):
    """Features after a ReLU can all be 0: a direction of nothing must not blow up training."""
    teacher, student = example(loss, 0), example(loss, 1)
    teacher[0] = student[1] = 0
    found = gradients(lambda s: loss(teacher, s), student)[0]
    assert np.isfinite(loss(teacher, student)).all()
    assert np.abs(found).max() < 10
    assert not np.any(found[1])


def test_logit_distillation_by_hand():
    """T = 2: probabilities 3/4, 1/4 against 1/2, 1/2, times 4."""
    teacher, student = 2 * np.log([[3.0, 1.0]]), np.array([[5.0, 5.0]])
    expected = 4 * (0.75 * np.log(1.5) + 0.25 * np.log(0.5))
    np.testing.assert_allclose(losses.logit_distillation(teacher, student), [expected], rtol=1e-12)


def test_logit_distillation_ignores_the_new_classes():
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 6))
    grown = np.concatenate([student, np.full((4, 3), 50.0)], axis=1)
    expected = losses.logit_distillation(teacher, student)
    np.testing.assert_array_equal(losses.logit_distillation(teacher, grown), expected)
    assert not np.any(gradients(lambda s: losses.logit_distillation(teacher, s), grown)[0][:, 6:])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 20.0])
def test_gradient_of_logit_distillation_is_t_times_the_difference_of_softmaxes(temperature):
    teacher, student = np.random.default_rng(0).normal(size=(2, 4, 6))

    def softmax(z):
        return np.exp(z / temperature) / np.exp(z / temperature).sum(1, keepdims=True)

    found = gradients(lambda s: losses.logit_distillation(teacher, s, temperature), student)[0]
    expected = temperature * (softmax(student) - softmax(teacher))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)


def test_logit_distillation_at_extreme_logits_is_finite():
    teacher = np.array([[1e4, -1e4, 0]], "float32")
    for student in (teacher[:, ::-1].copy(), -teacher):
        value = losses.logit_distillation(teacher, student)
        assert np.isfinite(value).all()
        assert np.isfinite(
            gradients(lambda s: losses.logit_distillation(teacher, s), student)
        ).all()


def test_small_distances_survive_float32():
    """1 - cos of nearly equal features must not drown in the rounding of cos near 1."""
    teacher = np.array([[1.0, 0.0]], "float32")
    student = np.array([[1.0, 1e-4]], "float32")
    np.testing.assert_allclose(losses.less_forget(teacher, student), [5e-9], rtol=1e-4)


@pytest.mark.parametrize("loss", [losses.less_forget, losses.pod_flat])
def test_cosine_distance_by_hand_at_any_length(loss):
    teacher = np.array([[2.0, 0], [2, 0], [2, 0], [0, 3]])
    student = np.array([[7.0, 0], [0, 9], [-1, 0], [1, 1]])
    expected = [0, 1, 2, 1 - 0.5**0.5]
    np.testing.assert_allclose(loss(teacher, student), expected, rtol=1e-12, atol=1e-15)


def test_pod_spatial_by_hand():
    """Squares of [[1, 2]] and [[2, 1]] (h=1, w=2): rows and columns (5; 1, 4) and (5; 4, 1)."""
    teacher, student = np.array([[[[1.0], [2]]]]), np.array([[[[2.0], [1]]]])
    expected = np.sqrt(2 * 9 / (25 + 1 + 16))
    np.testing.assert_allclose(losses.pod_spatial([teacher], [student]), [expected], rtol=1e-12)


def test_pod_spatial_is_the_mean_over_the_maps():
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(2, 3, *shape)) for shape in ((8, 8, 2), (4, 6, 3), (1, 1, 5))]
    each = [losses.pod_spatial(teacher, student) for teacher, student in pairs]
    together = losses.pod_spatial([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=1e-12)


def test_unusable_arguments_are_refused():
    x = np.ones((2, 3))
    with pytest.raises(UserError, match=r"Received: student_logits.shape=\(2, 2\)"):
        losses.logit_distillation(x, x[:, :2])
    for temperature in (0, -1.0, float("nan"), float("inf"), "2", None):
        with pytest.raises(UserError, match="Received: temperature="):
            losses.logit_distillation(x, x, temperature)
    maps = [np.ones((2, 4, 4, 3))] * 2
    for teacher, student in (([], []), (maps, maps[:1])):
        with pytest.raises(UserError, match=r"Received: len\(teacher_maps\)="):
            losses.pod_spatial(teacher, student)
