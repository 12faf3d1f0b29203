"""The regulariser of norms: 0 at equal norms only, and a case by hand."""

import numpy as np
import pytest

from tfcil.errors import UserError
from tfcil.losses import norm_alignment


def test_four_norms_of_a_half_and_two_of_1_by_hand():
    """Each of the 6 is 0.5 away from the mean of the other side."""
    norms = np.array([[0.5, 0.5, 0.5, 0.5, 1.0, 1.0]] * 3)
    assert norm_alignment(norms, 4).numpy() == pytest.approx([3.0, 3.0, 3.0])


def test_it_is_0_where_all_norms_are_equal_and_only_there():
    equal = np.full((1, 5), 0.7)
    assert norm_alignment(equal, 3).numpy() == pytest.approx([0.0], abs=1e-12)
    equal_means = equal + np.array([[0.1, -0.1, 0, 0.1, -0.1]])
    assert norm_alignment(equal_means, 3).numpy() == pytest.approx([0.4])


@pytest.mark.parametrize("num_old", [0, 5, 6])
def test_one_side_without_classes_is_told_in_one_line(num_old):
    with pytest.raises(UserError, match=r"^num_old must leave .* Received: num_old="):
        norm_alignment(np.ones((1, 5)), num_old)
