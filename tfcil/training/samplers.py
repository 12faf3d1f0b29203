"""Which images a step sees. Samplers are pure functions of (seed, step), so a killed run resumes.

A sampler has `size`, the images of a step; `steps_per_epoch`, which need not be whole;
`batch(seed, step)`, which returns the indices (size,) of the images; and `passes(step)`, which says
how often each of them came before.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from tfcil.layers.draws import Augmentation, draw

NO_AUGMENTATION = Augmentation()


@dataclass(frozen=True, eq=False)
class Shuffled:
    """Sees every image once per epoch, in a new order each time.

    The epochs' permutations follow each other and are cut into batches, so all batches are full:
    batch normalisation and compiled steps want one size.

    Args:
        indices: (n,) of the images.
        batch_size: images per step; never more than there are images.
        number: tells apart the samplers that are joined.
    """

    indices: np.ndarray
    batch_size: int
    number: int = 0

    @property
    def size(self) -> int:
        """Images per step."""
        return min(self.batch_size, len(self.indices))

    @property
    def steps_per_epoch(self) -> float:
        """Steps in which every image is seen once."""
        return len(self.indices) / self.size

    def batch(self, seed, step) -> np.ndarray:
        """Returns the indices of a step's images."""
        count = len(self.indices)
        epoch, first = divmod(step * self.size, count)
        order = _permutation((*seed, 0, self.number, epoch), count)
        if first + self.size > count:
            after = _permutation((*seed, 0, self.number, epoch + 1), count)
            order = np.concatenate([order, after])
        return self.indices[order[first : first + self.size]]

    def passes(self, step) -> np.ndarray:
        """Returns how often each image of a step came before, (size,)."""
        return (step * self.size + np.arange(self.size)) // len(self.indices)


@lru_cache(maxsize=4)
def _permutation(seed, count):
    return np.random.default_rng(seed).permutation(count)


@dataclass(frozen=True, eq=False)
class Joined:
    """Joins the batches of several samplers; the first one says how long an epoch is."""

    samplers: tuple

    @property
    def size(self) -> int:
        """Images per step."""
        return sum(one.size for one in self.samplers)

    @property
    def steps_per_epoch(self) -> float:
        """Steps per epoch of the first sampler."""
        return self.samplers[0].steps_per_epoch

    @property
    def indices(self) -> np.ndarray:
        """Indices of all images."""
        return np.concatenate([one.indices for one in self.samplers])

    def batch(self, seed, step) -> np.ndarray:
        """Returns the indices of a step's images."""
        return np.concatenate([one.batch(seed, step) for one in self.samplers])

    def passes(self, step) -> np.ndarray:
        """Returns how often each image of a step came before, (size,)."""
        return np.concatenate([one.passes(step) for one in self.samplers])


class _Drawn:
    """A sampler of `labels` that draws `size` images for each step, whatever came before."""

    @property
    def indices(self) -> np.ndarray:
        """Indices of all images."""
        return np.arange(len(self.labels))

    @property
    def steps_per_epoch(self) -> float:
        """Steps in which as many images are drawn as there are, 1 at least."""
        return max(len(self.labels) / self.size, 1.0)

    def passes(self, step) -> np.ndarray:
        """Returns the step, (size,): an image comes at random, as often after even as odd steps."""
        return np.full(self.size, step)


@dataclass(frozen=True, eq=False)
class Balanced(_Drawn):
    """Draws a class first and then one of its images: every class is equally likely.

    Args:
        labels: (n,) of the images.
        size: images per step.
    """

    labels: np.ndarray
    size: int

    def batch(self, seed, step) -> np.ndarray:
        """Returns the indices of a step's images."""
        order, first, counts = self._ordered
        generator = np.random.default_rng([*seed, 3, step])
        classes = generator.integers(0, len(counts), self.size)
        within = (generator.uniform(size=self.size) * counts[classes]).astype(int)
        return order[first[classes] + within]

    @cached_property
    def _ordered(self):
        return _ordered_by_class(self.labels)


@dataclass(frozen=True, eq=False)
class PerClass(_Drawn):
    """Draws some classes, and the same number of images of each, for losses that compare images.

    Args:
        labels: (n,) of the images.
        classes: P, classes per step, each of them once; all of them if there are fewer.
        per_class: K, images of each; one comes twice only if its class has fewer.
    """

    labels: np.ndarray
    classes: int
    per_class: int

    @property
    def size(self) -> int:
        """Images per step."""
        return min(self.classes, len(self._by_class)) * self.per_class

    def batch(self, seed, step) -> np.ndarray:
        """Returns the indices of a step's images, class after class."""
        generator = np.random.default_rng([*seed, 5, step])
        chosen = generator.permutation(len(self._by_class))[: self.classes]
        # `resize` begins again where a class has too few.
        drawn = [
            np.resize(generator.permutation(self._by_class[one]), self.per_class) for one in chosen
        ]
        return np.concatenate(drawn)

    @cached_property
    def _by_class(self):
        order, first, _ = _ordered_by_class(self.labels)
        return np.split(order, first[1:])


def _ordered_by_class(labels):
    """Returns the images ordered by class, the first place of each class, and its images."""
    order = np.argsort(labels, kind="stable")
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    return order, first, counts


@dataclass(frozen=True)
class Plan:
    """The steps of one phase: which images, and how they are augmented.

    Args:
        sampler: of the images.
        epochs: passes over them.
        seed: integers that everything drawn depends on.
        augmentation: how images are varied.
        sides: to which images are resized, each for an equal part of the steps; none: they are not.
        aspects: width by height of each image, (n,), for resized crops; `None`: all count as
            squares.
    """

    sampler: object
    epochs: int
    seed: tuple[int, ...]
    augmentation: Augmentation = NO_AUGMENTATION
    sides: tuple[int, ...] = ()
    aspects: np.ndarray | None = None

    def first_step(self, epoch: int) -> int:
        """Returns the number of steps before `epoch`: an epoch may end within a batch."""
        # Rounded first: 3 * (10 / 3) must not become 11.
        return math.ceil(round(epoch * self.sampler.steps_per_epoch, 6))

    @property
    def steps(self) -> int:
        """Number of steps of the phase."""
        return self.first_step(self.epochs)

    def epoch(self, epoch: int):
        """Yields each step of an epoch: its number, image indices, and draws for `augment`."""
        for step in range(self.first_step(epoch), self.first_step(epoch + 1)):
            yield step, *self.batch(step)

    def batch(self, step: int):
        """Returns the image indices of a step, and the draws for `augment`."""
        indices = self.sampler.batch(self.seed, step)
        flips = None
        if self.augmentation.flip == "alternating":
            flips = (self._flipped_first[indices] + self.sampler.passes(step)) % 2
        generator = np.random.default_rng([*self.seed, 1, step])
        aspects = 1.0 if self.aspects is None else self.aspects[indices]
        return indices, draw(generator, len(indices), self.augmentation, aspects, flips)

    def side(self, step: int) -> int | None:
        """Returns the side to which the images of a step are resized, `None` if they are not."""
        return self.sides[step * len(self.sides) // self.steps] if self.sides else None

    @cached_property
    def _flipped_first(self):
        """Tells for each image whether it is flipped in its first pass, half of them are."""
        count = int(np.max(self.sampler.indices)) + 1
        return np.random.default_rng([*self.seed, 4]).permutation(count) % 2
