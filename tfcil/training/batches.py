"""Which images a step sees: a pure function of (seed, task, step), so a run can go on anywhere."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tfcil.layers.augmentation import draw


@dataclass(frozen=True)
class Plan:
    """The batches of one task.

    The epochs' permutations follow each other in one stream that is cut into full batches: every
    image is seen once per epoch, no batch is smaller than the others (batch normalisation and
    compiled steps like that), and nothing random keeps state.

    Args:
        size: number of images.
        batch_size: images per step.
        epochs: passes over the images.
        seed: of everything drawn.
        task: rank of the task's first class, which tells the tasks of a chain apart.
        crop_padding: see `tfcil.layers.augmentation.draw`.
        flip: likewise.
    """

    size: int
    batch_size: int
    epochs: int
    seed: int
    task: int
    crop_padding: int = 0
    flip: bool = False

    def first_step(self, epoch: int) -> int:
        """Returns the number of steps before `epoch`."""
        return math.ceil(epoch * self.size / self.batch_size)

    @property
    def steps(self) -> int:
        """Number of steps of the whole task."""
        return self.first_step(self.epochs)

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the batches of one epoch.

        Yields:
            indices (batch,) into the images, and draws (batch, 3) for `crop_and_flip`.
        """
        order = lru_cache(maxsize=3)(self._order)
        for step in range(self.first_step(epoch), self.first_step(epoch + 1)):
            positions = range(step * self.batch_size, (step + 1) * self.batch_size)
            indices = np.array([order(p // self.size)[p % self.size] for p in positions])
            generator = np.random.default_rng([self.seed, self.task, 1, step])
            yield indices, draw(generator, self.batch_size, self.crop_padding, self.flip)

    def _order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, self.task, 0, epoch]).permutation(self.size)
