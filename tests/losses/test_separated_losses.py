"""SS-IL's separated softmax and task-wise distillation: separation and edge cases."""

import numpy as np
import pytest
import tensorflow as tf
from formulas import cross_entropy
from gradients import gradient

from tfcil.errors import UserError
from tfcil.losses import (
    logit_distillation,
    separated_softmax_crossentropy,
    taskwise_distillation,
)

LABELS = np.array([0, 2, 3, 4])


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 5)) * 3


def test_each_side_has_its_own_softmax(logits):
    old = cross_entropy(LABELS[:2], logits[:2, :3])
    new = cross_entropy(LABELS[2:] - 3, logits[2:, 3:])
    found = separated_softmax_crossentropy(LABELS, logits, num_old=3)
    np.testing.assert_allclose(found, [*old, *new], rtol=1e-12)


def test_other_side_gets_a_gradient_of_exactly_0(logits):
    found = gradient(lambda z: separated_softmax_crossentropy(LABELS, z, num_old=3), logits)
    assert not np.any(found[:2, 3:])
    assert not np.any(found[2:, :3])
    assert (found[:2, :3] != 0).all()
    assert (found[2:, 3:] != 0).all()


@pytest.mark.parametrize("num_old", [0, 5])
def test_without_an_other_side_it_is_plain_cross_entropy(logits, num_old):
    found = separated_softmax_crossentropy(LABELS, logits, num_old)
    np.testing.assert_allclose(found, cross_entropy(LABELS, logits), rtol=1e-12)


def test_batch_of_one_side_alone(logits):
    """All samples old, or all new: finite, and the same as in a mixed batch."""
    mixed = separated_softmax_crossentropy(LABELS, logits, num_old=3)
    for rows in (slice(0, 2), slice(2, 4)):

        def loss(z, labels=LABELS[rows]):
            return separated_softmax_crossentropy(labels, z, num_old=3)

        np.testing.assert_array_equal(loss(logits[rows]), mixed[rows])
        assert np.isfinite(gradient(loss, logits[rows])).all()


def test_side_with_one_class_gives_0_with_gradient_0(logits):
    """A single new class has nothing to be told from."""
    found = separated_softmax_crossentropy([4], logits[:1], num_old=4)
    assert float(found[0]) == 0
    assert not np.any(gradient(lambda z: separated_softmax_crossentropy([4], z, 4), logits[:1]))


def test_extreme_logits_stay_finite():
    z = np.array([[1e4, -1e4, 1e4, -1e4]] * 2, "float32")

    def loss(x):
        return separated_softmax_crossentropy([1, 3], x, num_old=2)

    np.testing.assert_allclose(loss(z), [2e4, 2e4], rtol=1e-6)
    np.testing.assert_array_equal(gradient(loss, z), [[1, -1, 0, 0], [0, 0, 1, -1]])


def test_half_precision_is_computed_in_float32(logits):
    z = tf.cast(logits, "float16")
    found = separated_softmax_crossentropy(LABELS, z, num_old=3)
    assert found.dtype == tf.float32
    exact = separated_softmax_crossentropy(LABELS, tf.cast(z, "float32"), num_old=3)
    np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("num_old", [-1, 6])
def test_old_classes_beyond_the_logits_are_refused(logits, num_old):
    with pytest.raises(UserError, match=f"Received: num_old={num_old}"):
        separated_softmax_crossentropy(LABELS, logits, num_old)


def test_taskwise_distillation_is_the_sum_over_the_old_tasks(logits):
    teacher = np.random.default_rng(1).normal(size=(4, 4))
    parts = [
        logit_distillation(teacher[:, columns], logits[:, columns], 3.0)
        for columns in (slice(0, 1), slice(1, 4))
    ]
    found = taskwise_distillation(teacher, logits, (1, 3), temperature=3.0)
    np.testing.assert_allclose(found, sum(parts), rtol=1e-12)


def test_taskwise_distillation_leaves_shifts_between_tasks_free(logits):
    """Only differences within a task are distilled: what is between tasks is biased."""
    shifted = logits + np.array([5.0, 5, -2, -2, -2])
    np.testing.assert_allclose(taskwise_distillation(logits, shifted, (2, 3)), 0, atol=1e-12)
    assert (np.array(logit_distillation(logits, shifted)) > 1).all()


def test_unusable_arguments_of_taskwise_distillation_are_refused(logits):
    for sizes in ([], [2, 2], [5, 0], [3, 3]):
        with pytest.raises(UserError, match="Received: task_sizes="):
            taskwise_distillation(logits, logits, sizes)
    with pytest.raises(UserError, match=r"Received: student_logits.shape=\(4, 4\)"):
        taskwise_distillation(logits, logits[:, :4], [2, 3])
    for temperature in (0, float("nan")):
        with pytest.raises(UserError, match="Received: temperature="):
            taskwise_distillation(logits, logits, [2, 3], temperature)
