"""Distillation by lost images: what it is where all lost alike, or some nothing."""

import numpy as np
import pytest
from gradients import gradient

from tfcil import losses
from tfcil.errors import UserError
from tfcil.losses.distillation import lost_balance

TEACHER, STUDENT = np.random.default_rng(0).normal(size=(2, 6, 5)) * 2


@pytest.mark.parametrize(
    ("lost", "balance"),
    [
        ([480] * 7, 1.0),
        ([480, 0, 0, 0, 0, 0, 0], 0.0001),
        (100 ** (np.arange(10) / -9) * 500, 0.714),
        ([3], 1.0),
        ([0, 0], 1.0),
    ],
)
def test_the_balance_of_lost_images(lost, balance):
    assert lost_balance(lost) == pytest.approx(balance, abs=1e-3)


@pytest.mark.parametrize("lost", [[480] * 4, [0] * 4])
def test_where_all_lost_alike_it_is_the_usual_distillation(lost):
    found = losses.distribution_aware_distillation(TEACHER[:, :4], STUDENT, lost)
    np.testing.assert_allclose(found, losses.logit_distillation(TEACHER[:, :4], STUDENT), rtol=1e-9)


def test_the_blend_gives_a_class_that_lost_nothing_no_gradient():
    """One class lost everything: the first part has the factor 0.0002."""

    def loss(z):
        return losses.distribution_aware_distillation(TEACHER, z, [1e9, 0, 0, 0, 0])

    found = np.abs(gradient(loss, STUDENT))
    assert found[:, 0].min() > 1e-3
    assert found[:, 1:].max() < 1e-6


@pytest.mark.parametrize("lost", [[1, 2], [1, 2, 3, 4, -1], [[1, 2, 3, 4, 5]]])
def test_counts_that_do_not_fit_are_told_in_one_line(lost):
    with pytest.raises(UserError, match=r"^lost_counts must .* Received: lost_counts="):
        losses.distribution_aware_distillation(TEACHER, STUDENT, lost)
