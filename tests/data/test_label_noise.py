"""Wrong labels: as many as asked, of the same task, as likely for each class."""

import numpy as np
import pytest

from tfcil.data.label_noise import noisy_labels
from tfcil.errors import UserError

LABELS = np.repeat([20, 21, 22, 23], 250)  # the classes of a later task


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 0.9])
def test_the_rate_is_exact_and_labels_stay_in_the_task(rate):
    noisy = noisy_labels(LABELS, rate, seed=0, task_key="01")
    assert np.count_nonzero(noisy != LABELS) == 1000 * rate
    assert set(noisy) <= set(LABELS)


def test_each_other_class_is_as_likely():
    noisy = noisy_labels(LABELS, 0.6, seed=1, task_key="01")
    confusion = np.zeros((4, 4), int)
    np.add.at(confusion, (LABELS - 20, noisy - 20), 1)
    wrong = confusion[~np.eye(4, dtype=bool)]
    assert wrong.sum() == 600
    assert np.all(np.abs(wrong - 50) < 4 * np.sqrt(50))  # 50 expected, of nearly Poisson spread


def test_equal_seeds_give_equal_labels_and_tasks_differ():
    first, again, other = (noisy_labels(LABELS, 0.2, seed, "01") for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)
    next_task = noisy_labels(LABELS + 4, 0.2, 5, "02")
    assert np.any(next_task - 4 != first)


@pytest.mark.parametrize("seed", range(20))
def test_no_class_is_without_images(seed):
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 2])
    noisy = noisy_labels(labels, 0.9, seed, "00")
    assert np.count_nonzero(noisy != labels) == 5  # of 7 asked for: each class keeps one
    assert set(noisy[noisy == labels]) == {0, 1, 2}


def test_a_task_of_one_class_is_told_in_one_line():
    with pytest.raises(UserError, match=r"dataset\.label_noise: .*one class in task 03$"):
        noisy_labels(np.full(9, 7), 0.2, 0, "03")
