"""Learning rates and the steps of the optimizers, against values computed by hand."""

import keras
import numpy as np
import pytest

from tfcil.components.recipe import Recipe
from tfcil.training import FrozenColumns
from tfcil.training.optimizers import TabulatedRates, learning_rates, make_optimizer


def rates_of(steps, steps_per_epoch, **recipe):
    return learning_rates(Recipe(epochs=1, **recipe), steps, steps_per_epoch)


def test_cosine_falls_from_the_peak_to_zero():
    rates = rates_of(100, 10, learning_rate=0.2)
    assert rates[0] == pytest.approx(0.2)
    assert rates[50] == pytest.approx(0.1)
    assert rates[25] == pytest.approx(0.1 * (1 + np.sqrt(0.5)))
    assert 0 < rates[99] < 1e-3


def test_linear_with_warmup_rises_and_falls_in_straight_lines():
    """Over the first fifth of 100 steps it rises."""
    rates = rates_of(100, 10, learning_rate=1.0, schedule="linear", warmup=0.2)
    np.testing.assert_allclose(rates[:20], np.arange(1, 21) / 21, rtol=1e-6)
    np.testing.assert_allclose(rates[20:], 1 - np.arange(80) / 80, rtol=1e-6)


def test_step_decays_at_the_milestones_of_the_official_protocol():
    rates = rates_of(160 * 5, 5, schedule="step", milestones=[80, 120])
    np.testing.assert_allclose(
        rates[[0, 399, 400, 599, 600, 799]], [0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3]
    )


def test_constant_stays_after_the_warmup():
    rates = rates_of(40, 10, learning_rate=0.3, schedule="constant", warmup=0.25)
    assert rates[0] == pytest.approx(0.3 / 11)
    np.testing.assert_allclose(rates[10:], 0.3)


def test_warmup_is_a_fraction_of_any_training():
    """One epoch of two steps has it too."""
    for steps in (2, 10, 999):
        rates = rates_of(steps, 2, schedule="constant", warmup=0.5)
        assert 0 < rates[0] < 0.1
        assert (np.diff(rates) >= 0).all()
        np.testing.assert_allclose(rates[-(steps // 2) :], 0.1)


def test_table_is_looked_up_by_step_and_stays_at_its_end():
    schedule = TabulatedRates([0.5, 0.25, 0.125])
    assert [float(schedule(step)) for step in (0, 1, 2, 3, 99)] == [0.5, 0.25, 0.125, 0.125, 0.125]
    assert TabulatedRates.from_config(schedule.get_config()).rates == schedule.rates


RATES, GRADIENTS = [0.5, 0.25, 0.125], np.array([[1.0, -2], [3, 4], [-2, 1]])
START, DECAY = np.array([0.5, -1.0]), 0.1


def steps_of(columns=0, **recipe):
    """The weights (1, 2) after each of three steps, by the gradients above.

    Args:
        columns: how many of them are frozen.
        recipe: of the `Recipe`.
    """
    weights = keras.Variable(START[None], dtype="float32")
    phase_transforms = [FrozenColumns(weights, columns)] if columns else []
    recipe = Recipe(epochs=1, weight_decay=DECAY, **recipe)
    optimizer, before = make_optimizer(recipe, RATES, [weights], phase_transforms)
    found = []
    for step, gradient in enumerate(GRADIENTS):
        gradients = [keras.ops.convert_to_tensor(gradient[None], "float32")]
        for transform in (*before, *phase_transforms):
            state = transform.init([weights])
            gradients, state = transform.update(gradients, state, [weights.value], step)
            assert state == []
        optimizer.apply(gradients, [weights])
        found.append(weights.numpy()[0])
    return found


def by_sgd(nesterov):
    weights, velocity = START, 0
    for rate, gradient in zip(RATES, GRADIENTS, strict=True):
        gradient = gradient + DECAY * weights
        velocity = 0.9 * velocity - rate * gradient
        weights = weights + (0.9 * velocity - rate * gradient if nesterov else velocity)
        yield weights


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_adds_the_decay_to_the_gradient_and_moves_by_momentum(nesterov):
    np.testing.assert_allclose(steps_of(nesterov=nesterov), list(by_sgd(nesterov)), atol=1e-6)


def by_adamw(decay):
    """Adam's step, and the decay of the weights as they were before it.

    Its epsilon of 1e-7 is nothing beside these gradients.
    """
    weights, mean, square = START, 0, 0
    for step, (rate, gradient) in enumerate(zip(RATES, GRADIENTS, strict=True), start=1):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        direction = (mean / (1 - 0.9**step)) / np.sqrt(square / (1 - 0.999**step))
        weights = weights - rate * decay * weights - rate * direction
        yield weights


def test_adamw_decays_the_weights_apart_from_the_gradient():
    """Adam divides the gradient by its length: decay within it would be divided, too."""
    expected = list(by_adamw(DECAY))
    # float32 knows 1 - 0.999 to four digits.
    np.testing.assert_allclose(steps_of(optimizer="adamw"), expected, atol=2e-5)
    assert np.abs(np.array(expected) - list(by_adamw(0))).max() > 0.01


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_columns_neither_move_nor_decay(optimizer):
    found = np.array(steps_of(columns=1, optimizer=optimizer))
    np.testing.assert_array_equal(found[:, 0], START[0])
    assert (np.abs(np.diff([START[1], *found[:, 1]])) > 0.01).all()
