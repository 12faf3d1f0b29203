"""tal: how the weights follow the labels of the steps, and where they are 1."""

import numpy as np
import pytest

from tfcil.classification.shared.supervision import (
    Supervision,
    balanced_supervision,
    next_supervision,
)
from tfcil.classification.tal import Options


def test_a_class_of_a_balanced_stream_stays_where_training_starts():
    """With r = 1, x* = 1 / (C + 1)."""
    assert balanced_supervision(9, 1.0) == pytest.approx(0.1)
    labels = np.arange(6).repeat(2)
    for exponent in (0.5, 1.0, 3.0):
        start = np.full(6, balanced_supervision(6, exponent))
        after = next_supervision(start, labels, 0.9, exponent)
        np.testing.assert_allclose(after, start, rtol=1e-12)


def test_supervision_is_that_of_the_authors(oracle):
    stored = oracle("tal")
    for name in "abc":
        memory, exponent = float(stored[f"{name}_memory"]), float(stored[f"{name}_exponent"])
        expected = stored[f"{name}_supervision"]
        found = np.full(expected.shape[1], balanced_supervision(expected.shape[1], exponent))
        for labels, after in zip(stored[f"{name}_labels"], expected, strict=True):
            found = next_supervision(found, labels, memory, exponent)
            np.testing.assert_allclose(found, after, rtol=1e-9, atol=1e-12)


def told(*steps):
    """The weights of each step, whose labels are given."""
    hook = Supervision(3, Options(memory=0.5))
    found = []
    for number, labels in enumerate(steps):
        hook.update(number, None, np.array(labels), None, 0.1)
        found.append(hook.told()["weights"])
    return found


def test_a_step_is_weighed_by_the_steps_before_it():
    """C = 3, x* = 1/4: after class 0 alone, x = (5/8, 1/16, 1/16), so weights (5/2, 1/4, 1/4)."""
    first, second = told([0, 0], [1, 2])
    np.testing.assert_allclose(first, [1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(second, [2.5, 0.25, 0.25], rtol=1e-6)


def test_a_class_that_does_not_come_is_spared_more_and_more():
    weights = [step[2] for step in told(*[[0, 1]] * 12)]
    assert all(np.diff(weights) < 0)
    assert weights[-1] < 1e-5
