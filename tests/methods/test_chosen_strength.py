"""The strength of ridge: weak where images held out allow it."""

import numpy as np
import pytest

from tfcil.methods import ridge
from tfcil.methods.shared.statistics import ClassStatistics, ridge_head, squared_error


@pytest.fixture(scope="module")
def statistics():
    """Those of 300 images of 6 classes in 40 dimensions, and of 60 that are held out."""
    generator = np.random.default_rng(2)
    labels = np.tile(np.arange(6), 60)
    features = generator.normal(size=(6, 40))[labels] * 0.7 + generator.normal(size=(360, 40))
    parts = slice(0, 300), slice(300, 360)
    return [ClassStatistics.of(features[one], labels[one], np.ones(6)) for one in parts]


def test_no_weaker_strength_is_nearly_as_good(statistics):
    kept, held = statistics
    chosen = ridge.chosen_strength(kept, held, ridge_head, None)
    errors = {one: squared_error(ridge_head(kept, one), held) for one in ridge.STRENGTHS}
    smallest = min(errors.values())
    assert errors[chosen] <= 1.05 * smallest
    assert all(error > 1.05 * smallest for one, error in errors.items() if one < chosen)
    assert errors[chosen] > smallest  # here the smallest error is that of a stronger one


def test_a_given_strength_stays_and_without_images_held_out_it_is_the_usual_one(statistics):
    kept, held = statistics
    none = ClassStatistics.of(np.zeros((0, 40)), np.zeros(0, int), np.ones(6))
    assert ridge.chosen_strength(kept, held, ridge_head, 7.0) == 7.0
    assert ridge.chosen_strength(kept, none, ridge_head, None) == ridge.UNCHOSEN
