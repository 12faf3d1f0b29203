"""The steps of an epoch: what each one sees, and how an engine takes them one by one."""

from typing import NamedTuple

import numpy as np

from tfcil.data.threads import map_in_order


class Step(NamedTuple):
    """What one step sees, by itself a function of seed, task, phase and step.

    Args:
        number: of the step in the phase.
        indices: (batch,) of its images.
        draws: how they are augmented, as `tfcil.layers.draws.draw` gives it.
        sizes: (terms,) float32, what the sum of each term's values is divided by.
        progress: part of the phase's steps already taken.
        side: to which the images are resized, or `None`.
    """

    number: int
    indices: np.ndarray
    draws: np.ndarray
    sizes: np.ndarray
    progress: float
    side: int | None = None


def steps_of(training, epoch, labels):
    """Yields each `Step` of an epoch.

    Args:
        training: the `Training`.
        epoch: number of the epoch.
        labels: (n,) of all images of the task.
    """
    plan = training.plan
    for number, indices, draws in plan.epoch(epoch):
        sizes = np.array([term.size(labels[indices]) for term in training.terms], "float32")
        yield Step(number, indices, draws, sizes, number / plan.steps, plan.side(number))


def read(images, indices, draws, plan):
    """Reads images, (n, height, width, channels) uint8; encoded ones as drawn, where the plan says.

    Args:
        images: those of a task.
        indices: (n,) of them.
        draws: (n, k) how they are augmented.
        plan: the `Plan`.
    """
    if plan.augmentation.while_reading:
        return images.cropped(indices, draws)
    return images[indices]


def one_by_one(training, engine, steps, task):
    """Takes steps with a call each, the hooks of the training before it.

    Args:
        training: the `Training`.
        engine: whose `step` takes each.
        steps: iterator of `Step`s.
        task: the `Task` whose images they see.

    Yields:
        After each step, its dictionary of scalars for the curve.
    """
    labels = np.asarray(task.labels, "int32")
    share = engine.share_of(training.plan.sampler.size)
    # Hooks see the whole batch.
    seen = slice(None) if training.hooks else share

    def with_images(step):
        return step, read(task.images, step.indices[seen], step.draws[seen], training.plan)

    # The next images are read while a step is taken.
    for step, images in map_in_order(with_images, steps, threads=1):
        number, indices, draws, sizes, progress, side = step
        if training.hooks:
            engine.write_back()
            for hook in training.hooks:
                hook.update(number, images, labels[indices], draws, training.rates[number])
            images = images[share]
        batch = (images, labels[indices[share]], draws[share])
        yield engine.step(*batch, sizes, progress, number, training.told(), side)
