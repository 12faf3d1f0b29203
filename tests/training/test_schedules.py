"""The learning rate of every step, against values computed by hand."""

import numpy as np
import pytest

from tfcil.training.schedules import TabulatedRates, learning_rates


def test_cosine_falls_from_the_peak_to_zero():
    rates = learning_rates(steps=100, steps_per_epoch=10, peak=0.2, schedule="cosine")
    assert rates[0] == pytest.approx(0.2)
    assert rates[50] == pytest.approx(0.1)
    assert rates[25] == pytest.approx(0.1 * (1 + np.sqrt(0.5)))
    assert 0 < rates[99] < 1e-3


def test_linear_with_warmup_rises_and_falls_in_straight_lines():
    rates = learning_rates(100, 10, 1.0, "linear", warmup=2)
    np.testing.assert_allclose(rates[:20], np.arange(1, 21) / 21, rtol=1e-6)
    np.testing.assert_allclose(rates[20:], 1 - np.arange(80) / 80, rtol=1e-6)


def test_step_decays_at_the_milestones_of_the_official_protocol():
    rates = learning_rates(160 * 5, 5, 0.1, "step", milestones=[80, 120], decay=0.1)
    np.testing.assert_allclose(
        rates[[0, 399, 400, 599, 600, 799]], [0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3]
    )


def test_constant_stays_after_the_warmup():
    rates = learning_rates(40, 10, 0.3, "constant", warmup=1)
    assert rates[0] == pytest.approx(0.3 / 11)
    np.testing.assert_allclose(rates[10:], 0.3)


def test_table_is_looked_up_by_step_and_stays_at_its_end():
    schedule = TabulatedRates([0.5, 0.25, 0.125])
    assert [float(schedule(step)) for step in (0, 1, 2, 3, 99)] == [0.5, 0.25, 0.125, 0.125, 0.125]
    assert TabulatedRates.from_config(schedule.get_config()).rates == schedule.rates
