"""Long-tailed data sets: how many images each class keeps, and which."""

import numpy as np
import pytest

from tfcil.data.long_tail import long_tailed, long_tailed_counts

NAMES = tuple("abcde")
ARRIVAL = [3, 0, 4, 1, 2]
LABELS = np.arange(405) % 5  # 81 images of each class
COUNTS = [81, 27, 9, 3, 1]  # 81 / 81^(i/4)


def kept_of(ratio=81, order="ordered", seed=0, labels=LABELS, names=NAMES):
    return long_tailed(labels, ARRIVAL, names, ratio, order, seed)


def sizes(kept, labels=LABELS):
    """Images of each class that are kept, in the order of arrival."""
    return np.bincount(labels[kept], minlength=5)[ARRIVAL].tolist()


def test_counts_by_hand():
    assert long_tailed_counts(81, 81, 5).tolist() == COUNTS
    assert long_tailed_counts(500, 100, 3).tolist() == [500, 50, 5]
    assert long_tailed_counts(15, 4, 3).tolist() == [15, 7, 3]  # 7.5 and 3.75 rounded down
    assert long_tailed_counts(15, 100, 3).tolist() == [15, 1, 1]  # never below 1
    assert long_tailed_counts(15, 100, 1).tolist() == [15]


def test_counts_of_the_published_cifar100():
    """500 images to 5; 10,847 in all, as in the long-tailed CIFAR-100 of the literature."""
    counts = long_tailed_counts(500, 100, 100)
    assert (counts[0], counts[-1], counts.sum()) == (500, 5, 10_847)


@pytest.mark.parametrize("ratio", [1, 2.5, 10, 100, 1000])
@pytest.mark.parametrize("num_classes", [2, 7, 100])
def test_counts_never_rise_and_reach_the_ratio(ratio, num_classes):
    counts = long_tailed_counts(1000, ratio, num_classes)
    assert np.all(np.diff(counts) <= 0)
    assert counts[0] == 1000
    assert counts[-1] == 1000 / ratio


def test_ordered_counts_fall_in_the_order_of_arrival():
    assert sizes(kept_of()) == COUNTS


def test_shuffled_counts_are_the_same_counts_in_an_order_of_the_seed():
    found = [sizes(kept_of(order="shuffled", seed=seed)) for seed in range(5)]
    assert all(sorted(one, reverse=True) == COUNTS for one in found)
    assert len(set(map(tuple, found))) > 1


def test_a_class_gets_no_more_images_than_it_has():
    labels = np.repeat(range(5), [2, 81, 30, 40, 4])
    assert sizes(kept_of(labels=labels), labels) == [40, 2, 4, 3, 1]


def test_the_seed_decides_which_images_are_kept():
    np.testing.assert_array_equal(kept_of(seed=3), kept_of(seed=3))
    assert np.any(kept_of(seed=3) != kept_of(seed=4))


def test_a_smaller_count_keeps_some_images_of_a_larger_one():
    assert np.all(kept_of(ratio=10)[kept_of(ratio=81)])


def test_names_decide_which_images_are_kept_not_labels():
    """Labels of a folder are those of its sorted names: another class would shift them."""
    kept = kept_of(labels=np.zeros(9, int), names=("x", *"bcde"))
    shifted = long_tailed(np.full(9, 4), [0, 4, 1, 2, 3], (*"bcde", "x"), 81, "ordered", 0)
    assert kept.sum() == 3  # 9 / 81^(1/4): x arrives second
    np.testing.assert_array_equal(kept, shifted)
