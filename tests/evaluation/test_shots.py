"""Accuracy by class size: the bounds of the groups, and figures by hand."""

import numpy as np
import pytest

from tfcil.evaluation.shots import group_sizes, is_unbalanced, shot_accuracies, shot_group


@pytest.mark.parametrize(
    ("size", "group"),
    [(1, "few"), (19, "few"), (20, "medium"), (100, "medium"), (101, "many"), (500, "many")],
)
def test_bounds_of_the_groups(size, group):
    assert shot_group(size) == group


def test_each_class_counts_once_in_its_group():
    """Two many-shot classes of 4 and 20 test images, a few-shot one; none in between."""
    confusion = np.array([[3, 1, 0], [5, 10, 5], [4, 4, 2]])
    assert shot_accuracies(confusion, [500, 101, 19]) == {
        "many": pytest.approx((3 / 4 + 10 / 20) / 2),
        "medium": None,
        "few": pytest.approx(0.2),
        "worst_class": pytest.approx(0.2),
    }


def test_a_class_without_test_images_is_left_out():
    figures = shot_accuracies([[1, 1], [0, 0]], [50, 5])
    assert figures == {"many": None, "medium": 0.5, "few": None, "worst_class": 0.5}


@pytest.mark.parametrize(
    ("sizes", "unbalanced"),
    [
        ([500, 500], False),
        ([450, 455, 448], False),  # a validation part is held out
        ([1300, 732], False),  # ImageNet
        ([15, 15], False),
        ([15, 7], True),
        ([101, 100], True),
        ([500, 5], True),
    ],
)
def test_balanced_classes_have_no_such_figures(sizes, unbalanced):
    assert is_unbalanced(sizes) == unbalanced


def test_groups_are_described_with_their_numbers_of_classes():
    assert group_sizes([500, 101, 20]) == {
        "many": "2 of 3 classes, more than 100 training images",
        "medium": "1 of 3 classes, 20 to 100 training images",
        "few": "0 of 3 classes, fewer than 20 training images",
    }
