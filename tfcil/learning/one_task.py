"""One task from arrays of one's own, without files and without DVC."""

import contextlib
import random

import numpy as np

from tfcil.classifier import (
    FEATURES,
    expose,
    freeze,
    frozen_layers,
    num_classes,
    untrained,
)
from tfcil.classifier.inference import forward
from tfcil.config.params import Exemplars, Recipe, TaskSettings
from tfcil.data.images import channel_statistics
from tfcil.data.store import Concatenated
from tfcil.exemplars import ExemplarMemory
from tfcil.training import train_task


def learn(
    images,
    labels,
    model=None,
    memory=None,
    budget=0,
    recipe=None,
    method=None,
    exemplars=None,
    second_stage=None,
    earlier=None,
    backbone="simple_cnn",
    seed=0,
    strategy="none",
    precision="float32",
    on_epoch=None,
):
    """Teaches a model the classes of one task and chooses the exemplars to keep.

    Args:
        images: (n, height, width, channels) uint8 or float32, of the new classes only. Floats are
            whatever the model takes, the same in all calls.
        labels: (n,) integers: the first task counts its classes from 0, a later one goes on with
            the first number that `model` does not know.
        model: what the call for the task before returned, or `None` for the first task. It is left
            as it was. Layers that are frozen in it stay frozen.
        memory: likewise.
        budget: exemplars kept over all classes; 0: none.
        recipe: dictionary with the keys of the section `increment` of params.yaml.
        method: dictionary with the keys of the section `method`; the same for every task.
        exemplars: dictionary with the keys of the section `exemplars`.
        second_stage: dictionary with the keys of the section `second_stage`, for methods with one;
            by default `recipe`.
        earlier: number of classes of each task before, for methods that distil them one by one;
            by default the classes that `model` knows are one task.
        backbone: network of the first task, as in params.yaml.
        seed: of everything drawn.
        strategy: `"none"`, or `"mirrored"` for all devices of this machine.
        precision: `"float32"` or `"mixed_bfloat16"`, of the network of the first task.
        on_epoch: called after each epoch with its row of the training curve, a dictionary.

    Returns:
        The new model, a plain `keras.Model` from raw images to logits over all classes so far, and
        the new `ExemplarMemory`.

    Raises:
        UserError: where the labels don't fit the model, or a setting is wrong.

    Example:
        >>> model, memory = tfcil.learn(images, labels, budget=200)
        >>> model, memory = tfcil.learn(more_images, more_labels, model, memory, budget=200)
        >>> model.save("classifier.keras")
    """
    recipe = Recipe.of(recipe or {"epochs": 30}, "recipe")
    values = {"recipe": recipe, "second_stage": second_stage or recipe, "method": method or {}}
    values |= {"earlier": earlier, "seed": seed, "strategy": strategy}
    settings = TaskSettings.of(values, "learn")
    exemplars = Exemplars.of(exemplars or {}, "exemplars")
    labels = np.asarray(labels)
    if memory is None:
        memory = ExemplarMemory.empty(images.shape[1:], images.dtype)
    with _seeded(seed, 0 if model is None else num_classes(model)):
        if model is None:
            mean, std = _statistics(images)
            model = untrained(backbone, images.shape[1:], mean, std, precision=precision, seed=seed)
        frozen = frozen_layers(model)
        student, _ = train_task(
            lambda: model,
            Concatenated(images, memory.images),
            np.concatenate([labels, memory.labels]),
            settings,
            on_epoch,
        )
        freeze(student, frozen)
    memory = remembered(student, memory, images, labels, budget, exemplars, seed)
    return student, memory


def remembered(model, memory, images, labels, budget, exemplars, seed):
    """Chooses exemplars of classes that a model knows; see `ExemplarMemory.update`.

    Args:
        model: a classifier.
        memory: the `ExemplarMemory` so far, without these classes.
        images: (n, height, width, channels).
        labels: (n,) integers.
        budget: exemplars kept over all classes.
        exemplars: section `exemplars` of params.yaml.
        seed: of everything drawn.

    Returns:
        The new `ExemplarMemory`.
    """
    num_seen = num_classes(model)
    return memory.update(
        images,
        labels,
        forward(expose(model, FEATURES), images)[FEATURES],
        num_seen,
        budget,
        exemplars.per_class,
        exemplars.selection,
        np.random.default_rng([seed, num_seen]),
    )


@contextlib.contextmanager
def _seeded(seed, num_old):
    """Has a copied layer, such as Dropout, draw the same seed of its own in every process.

    Keras draws it from the global state of Python, which is given back as it was.
    """
    before = random.getstate(), np.random.get_state()
    random.seed(f"{seed} {num_old}")
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


def _statistics(images):
    """Mean and standard deviation of each channel, whatever the range of the images."""
    if images.dtype == np.uint8:
        return channel_statistics(images)
    mean = images.mean(axis=(0, 1, 2), dtype="float64")
    std = images.std(axis=(0, 1, 2), dtype="float64")
    # A channel that is everywhere the same says nothing, and must not be divided by.
    return mean.tolist(), np.where(std > 1e-6 * np.abs(images).max(), std, 1.0).tolist()
