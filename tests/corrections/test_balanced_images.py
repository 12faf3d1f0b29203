"""balanced_finetuning: which images make every class appear equally often."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tfcil.corrections.balanced_finetuning import balanced_images
from tfcil.exemplars import herding


def features_of(labels):
    return np.random.default_rng(1).normal(size=(len(labels), 3)).astype("float32")


def chosen_of(counts, num_old):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    return labels, balanced_images(labels, num_old, features_of(labels))


@settings(max_examples=50, deadline=None)
@given(counts=st.lists(st.integers(1, 12), min_size=2, max_size=6), num_old=st.integers(0, 5))
def test_every_class_comes_equally_often(counts, num_old):
    """As often as the class with most exemplars, or the smallest one where none is old."""
    num_old = min(num_old, len(counts) - 1)
    labels, chosen = chosen_of(counts, num_old)
    size = max(counts[:num_old]) if num_old else min(counts)
    assert np.bincount(labels[chosen]).tolist() == [size] * len(counts)
    for label, count in enumerate(counts):
        own, times = np.unique(chosen[labels[chosen] == label], return_counts=True)
        assert len(own) == min(count, size)  # none is left out while another one is repeated
        assert np.ptp(times) <= 1


def test_herding_chooses_among_the_images_of_a_large_class():
    labels, chosen = chosen_of([3, 12], 1)
    own = np.flatnonzero(labels == 1)
    expected = own[herding(features_of(labels)[own], 3)]
    np.testing.assert_array_equal(chosen[labels[chosen] == 1], expected)


def test_a_class_without_an_exemplar_is_left_out():
    labels, chosen = chosen_of([2, 0, 5], 2)
    assert np.bincount(labels[chosen]).tolist() == [2, 0, 2]
