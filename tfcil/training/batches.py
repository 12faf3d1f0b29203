"""Which images a step sees: a pure function of (seed, task, stage, step), so a run can go on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tfcil.layers.augmentation import Augmentation, draw

NONE = Augmentation()


@dataclass(frozen=True)
class Stream:
    """Images that are seen over and over, in a new order each time.

    Args:
        indices: (n,) of the images.
        batch_size: how many of them a step takes.
    """

    indices: np.ndarray
    batch_size: int


@dataclass(frozen=True)
class Plan:
    """The batches of one training.

    The epochs' permutations of a stream follow each other and are cut into full batches: every
    image is seen once per epoch, no batch is smaller than the others (batch normalisation and
    compiled steps like that), and nothing random keeps state.

    Args:
        streams: a batch takes its share of each; the first says how long an epoch is.
        epochs: passes over the first stream.
        seed: integers that everything drawn depends on.
        augmentation: how images are varied.
    """

    streams: tuple[Stream, ...]
    epochs: int
    seed: tuple[int, ...]
    augmentation: Augmentation = NONE

    @property
    def batch_size(self) -> int:
        """Images per step."""
        return sum(stream.batch_size for stream in self.streams)

    @property
    def steps_per_epoch(self) -> float:
        """Need not be whole: an epoch may end within a batch."""
        first = self.streams[0]
        return len(first.indices) / first.batch_size

    def first_step(self, epoch: int) -> int:
        """Returns the number of steps before `epoch`."""
        first = self.streams[0]
        return math.ceil(epoch * len(first.indices) / first.batch_size)

    @property
    def steps(self) -> int:
        """Number of steps of the whole training."""
        return self.first_step(self.epochs)

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields the batches of one epoch.

        Yields:
            indices (batch,) of the images, and draws for `tfcil.layers.augmentation.augment`.
        """
        order = lru_cache(maxsize=4 * len(self.streams))(self._order)
        for step in range(self.first_step(epoch), self.first_step(epoch + 1)):
            indices = np.concatenate(
                [
                    stream.indices[self._positions(order, number, stream, step)]
                    for number, stream in enumerate(self.streams)
                ]
            )
            generator = np.random.default_rng([*self.seed, 1, step])
            yield indices, draw(generator, len(indices), self.augmentation)

    @staticmethod
    def _positions(order, number, stream, step):
        size, first = len(stream.indices), step * stream.batch_size
        places = range(first, first + stream.batch_size)
        return [order(number, place // size)[place % size] for place in places]

    def _order(self, number, turn):
        size = len(self.streams[number].indices)
        return np.random.default_rng([*self.seed, 0, number, turn]).permutation(size)
