import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfcil.evaluation.matrix import AccuracyMatrix, confusion_matrix

NAN = math.nan


@pytest.fixture
def matrix():
    """Three tasks with 50, 10 and 20 test images.

    Accuracies: 0.8 | 0.6 0.5 | 0.7 0.2 0.9; over all seen: 40/50, 35/60 and 55/80.
    """
    return AccuracyMatrix(
        correct=[[40, NAN, NAN], [30, 5, NAN], [35, 2, 18]],
        totals=[[50, NAN, NAN], [50, 10, NAN], [50, 10, 20]],
    )


def test_trap_6_accuracies_of_tasks_not_learnt_yet_are_nan_not_zero(matrix):
    expected = [[0.8, NAN, NAN], [0.6, 0.5, NAN], [0.7, 0.2, 0.9]]
    np.testing.assert_allclose(matrix.accuracies(), expected)


def test_each_test_image_counts_once_in_the_curve(matrix):
    """The mean over tasks would be 0.55 and 0.6 after the second and the third."""
    np.testing.assert_allclose(matrix.curve(), [40 / 50, 35 / 60, 55 / 80])


def test_trap_5_every_evaluation_weighs_the_same_and_the_base_task_counts(matrix):
    """Neither by task size, nor without the first step."""
    expected = (40 / 50 + 35 / 60 + 55 / 80) / 3
    assert matrix.average_incremental_accuracy() == pytest.approx(expected)


def test_last_accuracy_is_over_all_test_images(matrix):
    assert matrix.last_accuracy() == pytest.approx(55 / 80)


def test_trap_1_forgetting_follows_the_tasks_whatever_their_size(matrix):
    """0.8 - 0.7 on the base task of 50, and 0.5 - 0.2 on the task of 10, by task, not by tens."""
    assert matrix.forgetting() == pytest.approx((0.1 + 0.3) / 2)


@pytest.mark.parametrize(
    ("sizes", "expected"), [([50, 10, 10], 15.0), ([20, 20, 20], 15.0), ([5, 5, 1], 15.0)]
)
def test_trap_1_forgetting_is_right_for_b50_b0_and_a_last_task_of_one_class(sizes, expected):
    """The tens of a well-known code base crash or change the figure for these protocols."""
    images = 100 * np.array(sizes)
    accuracies = np.array([[0.9, NAN, NAN], [0.8, 0.7, NAN], [0.7, 0.6, 1.0]])
    totals = np.where(np.isnan(accuracies), NAN, images)
    matrix = AccuracyMatrix(np.rint(accuracies * images), totals)
    assert 100 * matrix.forgetting() == pytest.approx(expected)


def test_trap_5_the_last_model_is_not_in_the_maximum_of_forgetting():
    """A task that got better with the last model has negative forgetting, not zero."""
    matrix = AccuracyMatrix([[5, NAN], [7, 4]], [[10, NAN], [10, 8]])
    assert matrix.forgetting() == pytest.approx(-0.2)


def test_trap_5_forgetting_and_backward_transfer_differ():
    """One task learnt at 0.5, at its best 0.9, at last 0.6."""
    matrix = AccuracyMatrix(
        [[5, NAN, NAN], [9, 6, NAN], [6, 6, 1]], [[10, NAN, NAN], [10, 8, NAN], [10, 8, 4]]
    )
    assert matrix.forgetting() == pytest.approx(((0.9 - 0.6) + 0) / 2)
    assert matrix.backward_transfer() == pytest.approx(((0.6 - 0.5) + 0) / 2)


def test_trap_5_backward_transfer_reads_the_last_row_only(matrix):
    """Averaged over all rows it would be -0.2."""
    assert matrix.backward_transfer() == pytest.approx(((0.7 - 0.8) + (0.2 - 0.5)) / 2)


def test_old_and_new_accuracy_of_any_task(matrix):
    assert matrix.old_new() == pytest.approx((37 / 60, 0.9))
    assert matrix.old_new(task=1) == pytest.approx((30 / 50, 0.5))
    assert matrix.old_new(task=-3) == pytest.approx((NAN, 0.8), nan_ok=True)
    with pytest.raises(IndexError):
        matrix.old_new(task=3)


def test_summary_has_the_figures_of_metrics_json(matrix):
    summary = matrix.summary()
    assert summary == pytest.approx(
        {
            "average_incremental_accuracy": (40 / 50 + 35 / 60 + 55 / 80) / 3,
            "last_accuracy": 55 / 80,
            "forgetting": 0.2,
            "backward_transfer": -0.2,
            "old_accuracy": 37 / 60,
            "new_accuracy": 0.9,
        }
    )
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_after_the_base_task_the_figures_about_old_tasks_are_undefined():
    matrix = AccuracyMatrix([[3]], [[4]])
    assert matrix.summary() == {
        "average_incremental_accuracy": 0.75,
        "last_accuracy": 0.75,
        "forgetting": None,
        "backward_transfer": None,
        "old_accuracy": None,
        "new_accuracy": 0.75,
    }


def test_test_set_sizes_may_be_known_ahead_of_their_task(matrix):
    full = AccuracyMatrix(matrix.correct, np.tile([50, 10, 20], (3, 1)))
    assert full.summary() == matrix.summary()


@pytest.mark.parametrize(
    ("correct", "totals", "message"),
    [
        ([[1, 0], [1, 1]], [[2, NAN], [2, 2]], "NaN above the diagonal"),
        ([[1, NAN], [NAN, 1]], [[2, NAN], [2, 2]], "correct must be whole numbers"),
        ([[1, NAN], [1, 1]], [[2, NAN], [NAN, 2]], "totals must be whole numbers"),
        ([[1, NAN], [np.inf, 1]], [[2, NAN], [2, 2]], "correct must be whole numbers"),
        ([[0.5]], [[2]], "correct must be whole numbers"),
        ([[3]], [[2]], "0 <= correct <= totals"),
        ([[-1]], [[2]], "0 <= correct <= totals"),
        ([[0]], [[0]], "needs test images"),
        ([[1, NAN]], [[2, NAN]], r"square.*correct.shape=\(1, 2\)"),
        ([1], [2], "square"),
        (np.zeros((0, 0)), np.zeros((0, 0)), "square"),
        ([[1]], [[2, NAN], [2, 2]], r"totals.shape=\(2, 2\)"),
    ],
)
def test_counts_that_cannot_be_are_refused(correct, totals, message):
    with pytest.raises(ValueError, match=message) as caught:
        AccuracyMatrix(correct, totals)
    assert "Received: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_arrays_it_was_made_of_stay_as_they_were():
    totals = np.array([[4, 9], [4, 9]])
    AccuracyMatrix([[1, NAN], [1, 1]], totals)
    assert totals.tolist() == [[4, 9], [4, 9]]


@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_figures_of_any_history_hold_together(tasks, seed):
    generator = np.random.default_rng(seed)
    totals = np.tile(generator.integers(1, 50, size=tasks), (tasks, 1))
    above = np.triu(np.ones((tasks, tasks), dtype=bool), k=1)
    correct = np.where(above, NAN, generator.integers(0, totals + 1))
    matrix = AccuracyMatrix(correct, totals)
    old, new = matrix.old_new()
    num_old = totals[-1, :-1].sum()
    if tasks == 1:
        assert new == matrix.last_accuracy()
    else:
        together = (old * num_old + new * totals[-1, -1]) / totals[-1].sum()
        assert matrix.last_accuracy() == pytest.approx(together)
        # The best accuracy is at least the one right after learning.
        assert matrix.forgetting() >= -matrix.backward_transfer() - 1e-12
    assert matrix.curve().min() - 1e-12 <= matrix.average_incremental_accuracy()
    assert matrix.average_incremental_accuracy() <= matrix.curve().max() + 1e-12


def test_confusion_matrix_has_true_classes_as_rows():
    matrix = confusion_matrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 0, 2], 4)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == [[1, 1, 0, 0], [0, 1, 0, 0], [2, 0, 1, 0], [0, 0, 0, 0]]


def test_confusion_matrix_of_nothing_is_zero():
    empty = np.zeros(0, dtype=int)
    assert confusion_matrix(empty, empty, 2).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ([0, 2], [0, 1], r"y_true must be in 0\.\.1"),
        ([0, 1], [0, -1], r"y_pred must be in 0\.\.1"),
        ([0, 1], [0], "same length"),
        ([[0]], [[0]], "vectors"),
    ],
)
def test_confusion_of_classes_out_of_range_is_refused(y_true, y_pred, message):
    with pytest.raises(ValueError, match=rf"{message}.*Received: "):
        confusion_matrix(y_true, y_pred, 2)
