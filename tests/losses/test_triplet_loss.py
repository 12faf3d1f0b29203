"""The semi-hard triplet loss: cases by hand, and batches that have no triplet."""

import numpy as np
import pytest
from gradients import gradient

from tfcil.losses import triplet


def at(*degrees):
    """Unit vectors at these angles, whose squared distance is 2 - 2 cos of the difference."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def squared(degrees):
    return 2 - 2 * np.cos(np.radians(degrees))


LABELS, FEATURES = [0, 0, 1, 1], at(0, 40, 25, -45)


def test_the_nearest_image_that_is_farther_than_the_positive_is_the_negative():
    """From 0, the positive is at 40; the image at 25 is nearer, so the negative is that at -45.

    From 40, that one is 85 away: beyond the margin. From 25, the positive is 70 away, and both
    others are nearer: 0. From -45, the positive is 70 away, the image at 0 nearer, that at 40 is 85
    away.
    """
    from_0 = 0.6 + squared(40) - squared(45)
    from_minus_45 = 0.6 + squared(70) - squared(85)
    expected = [from_0, 0, 0, from_minus_45]
    assert min(from_0, from_minus_45) > 0.05
    np.testing.assert_allclose(triplet(LABELS, FEATURES, 0.6), expected, rtol=1e-12, atol=1e-12)


def test_the_value_is_the_mean_over_the_positives():
    """From 0: the negative at 21 is farther than the positive at 10, and nearer than that at 30."""
    found = triplet([0, 0, 0, 1], at(0, 10, 30, 21), margin=0.2)
    assert float(found[0]) == pytest.approx((0.2 + squared(10) - squared(21)) / 2, rel=1e-12)
    assert found[3] == 0


def test_lengths_do_not_count():
    longer = FEATURES * np.array([[1.0], [3.0], [0.2], [50.0]])
    expected = triplet(LABELS, FEATURES, 0.6)
    np.testing.assert_allclose(triplet(LABELS, longer, 0.6), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("labels", "features"),
    [
        ([0, 0, 1, 1], at(0, 5, 90, 95)),
        ([2, 2, 2, 2], at(0, 5, 90, 95)),
        ([0, 1, 2, 3], at(0, 5, 90, 95)),
        ([0, 0, 1, 1], at(7, 7, 7, 7)),
        ([0, 0, 1, 1], np.zeros((4, 2))),
        ([0], at(7)),
    ],
    ids=["margins hold", "no negative", "no positive", "all alike", "all 0", "one image"],
)
def test_without_a_triplet_that_counts_value_and_gradient_are_exactly_0(labels, features):
    assert not np.any(triplet(labels, features))
    assert not np.any(gradient(lambda x: triplet(labels, x), features))


def test_a_step_against_the_gradient_draws_the_class_together():
    moved = FEATURES - 0.01 * gradient(lambda x: triplet(LABELS, x, 0.6), FEATURES)
    assert sum(triplet(LABELS, moved, 0.6)) < sum(triplet(LABELS, FEATURES, 0.6))
    directions = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    assert directions[0] @ directions[1] > np.cos(np.radians(40))
