"""The maximum mean discrepancy compares two sets of features, whatever their order."""

import numpy as np
import pytest
import tensorflow as tf
from gradients import gradient

from tfcil.errors import UserError
from tfcil.losses import maximum_mean_discrepancy

TEACHER = np.random.default_rng(0).normal(size=(7, 5))


def discrepancy(teacher, student, *bandwidths):
    values = maximum_mean_discrepancy(np.array(teacher), np.array(student), *bandwidths)
    assert values.shape == (len(student),)
    return float(np.mean(values))


def test_two_points_against_two_by_hand():
    """Teacher 0 and 2, student 1 and 3: distances between them 1, 3, 1 and 1, so their median is 1.

    With the bandwidth 1: k at the distances 1, 2 and 3 is exp(-1/2), exp(-2) and exp(-9/2). Within
    each set, the mean is (1 + k(2)) / 2; between them, it is (3 k(1) + k(3)) / 4.
    """
    one, two, three = np.exp([-0.5, -2.0, -4.5])
    found = discrepancy([[0.0], [2.0]], [[1.0], [3.0]], [1.0])
    assert found == pytest.approx(1 + two - (3 * one + three) / 2, rel=1e-12)


def test_kernels_are_added_and_a_bandwidth_counts_in_median_distances():
    """Ten times as large features change nothing; two bandwidths give the sum of each."""
    student = TEACHER[::-1] + np.random.default_rng(1).normal(size=(7, 5))
    both = discrepancy(TEACHER, student, [0.5, 2.0])
    each = [discrepancy(TEACHER, student, [width]) for width in (0.5, 2.0)]
    assert both == pytest.approx(sum(each), rel=1e-12)
    assert discrepancy(10 * TEACHER, 10 * student, [0.5, 2.0]) == pytest.approx(both, rel=1e-12)


def test_the_same_set_in_any_order_has_none():
    """Unlike a distance of pairs: the images may change places."""
    assert not np.any(maximum_mean_discrepancy(TEACHER, TEACHER))
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(TEACHER))
        assert discrepancy(TEACHER, TEACHER[order]) == pytest.approx(0, abs=1e-14)


def test_it_is_positive_grows_with_the_shift_and_both_sets_may_change_sides():
    found = [discrepancy(TEACHER, TEACHER + shift) for shift in (0.1, 0.5, 1.0)]
    assert 0 < found[0] < found[1] < found[2]
    swapped = discrepancy(TEACHER + 0.5, TEACHER)
    assert swapped == pytest.approx(found[1], rel=1e-12)


@pytest.mark.parametrize(
    "teacher",
    [TEACHER, np.ones((7, 5)), np.zeros((7, 5)), TEACHER[:1], np.tile(TEACHER[:2], (3, 1))],
    ids=["different", "all alike", "all 0", "one image", "duplicates"],
)
def test_gradient_at_equal_features_is_exactly_0(teacher):
    """Squared distances and a median of 0 among them: no root, and nothing divided by 0."""
    found = gradient(lambda student: maximum_mean_discrepancy(teacher, student), teacher)
    assert not np.any(found)


def test_gradient_is_the_slope_at_the_bandwidths_of_the_moment():
    """By finite differences, in directions that leave the median where it is."""
    student, step = TEACHER + 0.5, 1e-6
    found = gradient(lambda moved: maximum_mean_discrepancy(TEACHER, moved), student)
    medians = []
    for row, column in ((0, 0), (3, 2), (6, 4)):
        ends = []
        for sign in (-1, 1):
            moved = student.copy()
            moved[row, column] += sign * step
            squares = np.square(TEACHER[:, None] - moved[None]).sum(axis=-1)
            medians.append(np.median(squares))
            ends.append(7 * discrepancy(TEACHER, moved, widths_at(student, medians[-1])))
        slope = (ends[1] - ends[0]) / (2 * step)
        assert found[row, column] == pytest.approx(slope, rel=1e-5)
    assert np.ptp(medians) > 0  # otherwise stopping its gradient would not be tried


def widths_at(student, median):
    """The default bandwidths in the median distance at `student`, told in that of `median`."""
    before = np.median(np.square(TEACHER[:, None] - student[None]).sum(axis=-1))
    return [width * (before / median) ** 0.5 for width in (0.25, 0.5, 1.0, 2.0, 4.0)]


def test_the_teacher_gets_no_gradient():
    teacher, student = tf.Variable(TEACHER), tf.Variable(TEACHER + 1)
    with tf.GradientTape() as tape:
        values = maximum_mean_discrepancy(teacher, student)
    of_teacher, of_student = tape.gradient(values, [teacher, student])
    assert of_teacher is None
    assert np.any(of_student)


@pytest.mark.parametrize("bandwidths", [(), (1.0, 0.0), [-1.0], ["wide"], [float("inf")]])
def test_a_wrong_bandwidth_is_told_in_one_line(bandwidths):
    with pytest.raises(UserError, match=r"^bandwidths must be .* Received: bandwidths=\["):
        maximum_mean_discrepancy(TEACHER, TEACHER, bandwidths)
