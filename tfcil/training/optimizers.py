"""The optimizer of a recipe, and the learning rate of every step."""

import keras
import numpy as np
from keras import ops

from tfcil.training.transforms import FrozenColumns, WeightDecay


def make_optimizer(recipe, rates, variables, transforms=()):
    """Makes the optimizer that a recipe names.

    Args:
        recipe: the `Recipe`.
        rates: learning rate of each step, as `learning_rates` gives them.
        variables: the trainable variables.
        transforms: those of the phase; columns that one of them freezes do not decay.

    Returns:
        A built Keras optimizer, and the transforms that go before those of the phase.
    """
    schedule, before = TabulatedRates(rates), []
    if recipe.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay or None)
        frozen = [one.matrix for one in transforms if isinstance(one, FrozenColumns)]
        if frozen and recipe.weight_decay:
            optimizer.exclude_from_weight_decay(var_list=frozen)
    else:
        optimizer = keras.optimizers.SGD(
            schedule, momentum=recipe.momentum, nesterov=recipe.nesterov
        )
        if recipe.weight_decay:
            before.append(WeightDecay(recipe.weight_decay))
    optimizer.build(variables)
    return optimizer, before


def learning_rates(recipe, steps, steps_per_epoch) -> np.ndarray:
    """Computes the learning rate of each step of a phase.

    After a linear warm-up from 0, `cosine` and `linear` fall from the peak to 0 over the rest of
    the phase, `step` multiplies by `decay` at each milestone, `constant` stays.

    Args:
        recipe: the `Recipe`.
        steps: number of steps of the phase.
        steps_per_epoch: images over batch size; need not be whole.

    Returns:
        (steps,) float32.
    """
    step, peak = np.arange(steps), recipe.learning_rate
    warm = recipe.warmup * steps
    progress = np.clip((step - warm) / max(steps - warm, 1), 0, 1)
    if recipe.schedule == "cosine":
        rates = 0.5 * peak * (1 + np.cos(np.pi * progress))
    elif recipe.schedule == "linear":
        rates = peak * (1 - progress)
    elif recipe.schedule == "step":
        reached = step[:, None] >= np.asarray(recipe.milestones) * steps_per_epoch
        rates = peak * recipe.decay ** reached.sum(axis=1)
    else:
        rates = np.full(steps, peak)
    # The first step moves a little: a rate of exactly 0 would waste it.
    rising = np.minimum((step + 1) / (warm + 1), 1) if warm else 1
    return (rates * rising).astype("float32")


class TabulatedRates(keras.optimizers.schedules.LearningRateSchedule):
    """Looks the learning rate of a step up in an array."""

    def __init__(self, rates):
        super().__init__()
        self.rates = [float(rate) for rate in rates]

    def __call__(self, step):
        last = len(self.rates) - 1
        return ops.take(
            ops.convert_to_tensor(self.rates, "float32"), ops.minimum(ops.cast(step, "int32"), last)
        )

    def get_config(self):
        return {"rates": self.rates}
