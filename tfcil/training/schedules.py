"""The learning rate of every step of a task."""

import keras
import numpy as np
from keras import ops


def learning_rates(
    steps, steps_per_epoch, peak, schedule="cosine", warmup=0.0, milestones=(), decay=0.1
) -> np.ndarray:
    """Computes the learning rate of each step.

    After a linear warm-up from 0, `cosine` and `linear` fall from the peak to 0 over the rest of
    the task, `step` multiplies by `decay` at each milestone, `constant` stays.

    Args:
        steps: number of steps of the task.
        steps_per_epoch: images over batch size; need not be whole.
        peak: highest rate.
        schedule: `"constant"`, `"step"`, `"cosine"` or `"linear"`.
        warmup: length of the warm-up in epochs.
        milestones: epochs at which `step` decays.
        decay: factor of `step`.

    Returns:
        (steps,) float32.
    """
    step = np.arange(steps)
    warm = warmup * steps_per_epoch
    progress = np.clip((step - warm) / max(steps - warm, 1), 0, 1)
    if schedule == "cosine":
        rates = 0.5 * peak * (1 + np.cos(np.pi * progress))
    elif schedule == "linear":
        rates = peak * (1 - progress)
    elif schedule == "step":
        reached = step[:, None] >= np.asarray(milestones) * steps_per_epoch
        rates = peak * decay ** reached.sum(axis=1)
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
