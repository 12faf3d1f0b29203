"""One task from arrays, without files and without DVC."""

import warnings

import numpy as np

from tfcil.classifier import features_of, freeze, frozen_layers, num_classes, untrained
from tfcil.data.images import channel_statistics
from tfcil.data.store import Concatenated
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.learning.arrays import collected
from tfcil.learning.checks import check_budget, listed
from tfcil.learning.settings import Settings
from tfcil.learning.task import train_task


def learn(
    images,
    labels,
    model=None,
    memory=None,
    budget=0,
    recipe=None,
    method=None,
    options=None,
    exemplars=None,
    earlier=None,
    backbone="simple_cnn",
    precision="float32",
    seed=0,
    strategy="none",
    on_epoch=None,
):
    """Trains a model on the classes of one task, and chooses exemplars of them.

    Args:
        images: (n, height, width, channels) uint8 or float32, of the new classes only. Floats are
            scaled as the model expects, in all calls alike.
        labels: (n,) integers: from 0 in the first task, from the number of classes of `model` in a
            later one.
        model: the model that the call for the task before returned, or `None` for the first task.
            It is not changed. Frozen layers stay frozen.
        memory: the memory that the call for the task before returned, or `None`.
        budget: exemplars kept over all classes; 0: none.
        recipe: dictionary with the keys of the section `increment` of params.yaml.
        method: dictionary with the keys of the section `method`; the same for every task.
        options: dictionary with the keys of the section `options`.
        exemplars: dictionary with the keys of the section `exemplars`.
        earlier: number of classes of each task before, for methods that distil each task by
            itself; by default the classes of `model` are one task.
        backbone: network of the first task, as in params.yaml.
        precision: `"float32"` or `"mixed_bfloat16"`, of the network of the first task.
        seed: of everything drawn.
        strategy: `"none"`, or `"mirrored"` for all devices of this machine.
        on_epoch: function called after each epoch with its row of the curve, a dictionary.

    Returns:
        The new model, a plain `keras.Model` from raw images to logits over all classes so far, and
        the new `ExemplarMemory`.

    Raises:
        UserError: where images or labels are of another kind, the labels don't follow those of the
            model, or a setting is wrong.

    Example:
        >>> model, memory = tfcil.learn(images, labels, budget=200)
        >>> model, memory = tfcil.learn(more_images, more_labels, model, memory, budget=200)
        >>> model.save("classifier.keras")
    """
    given = {"recipe": recipe, "method": method, "options": options, "exemplars": exemplars}
    given = {name: value for name, value in given.items() if value is not None}
    given |= {"budget": budget, "strategy": strategy, "seed": seed}
    given |= {"model": {"backbone": backbone, "precision": precision}}
    settings = Settings.of(given, "learn")
    if settings.keeps_statistics:
        raise UserError(
            f"learn: method.name={settings.method.name} keeps statistics of the classes between "
            "tasks, expected tfcil.IncrementalClassifier, whose state has them. "
            f"Received: method.name={settings.method.name}"
        )
    images, labels = collected(images, labels, memory)
    labels = _checked_numbers(labels)
    check_budget(budget, labels.max() + 1)
    tell = on_epoch and (lambda row, epochs: on_epoch(row))
    return learned(settings, images, labels, model, memory, earlier=earlier, on_epoch=tell)[:2]


def _checked_numbers(labels):
    """Returns the labels as an array, or raises a `UserError` where one is a name or negative."""
    wrong = [label for label in labels if isinstance(label, str) or label < 0]
    if wrong:
        raise UserError(
            "Expected labels of integers from 0 on; tfcil.IncrementalClassifier takes names. "
            f"Received: {listed(wrong, most=1)}"
        )
    return np.array(labels)


def learned(
    settings,
    images,
    labels,
    model=None,
    memory=None,
    statistics=None,
    earlier=None,
    on_epoch=None,
):
    """Does what `learn` does, for every method; returns the statistics, too.

    Args:
        settings: the `Settings`.
        images: see `learn`.
        labels: see `learn`.
        model: see `learn`.
        memory: see `learn`.
        statistics: those that the call for the task before returned, or `None`.
        earlier: see `learn`.
        on_epoch: see `train_task`.

    Returns:
        The new model, the new memory and the statistics, a dictionary of arrays.
    """
    for line in settings.choice().warnings:
        warnings.warn(line, stacklevel=3)
    if memory is None:
        memory = ExemplarMemory.empty(images.shape[1:], images.dtype)
    if model is None:
        mean, std = _statistics(images)
        shape = images.shape[1:]
        model = untrained(
            image_shape=shape, mean=mean, std=std, seed=settings.seed, **dict(settings.model)
        )
    frozen = frozen_layers(model)
    trained = train_task(
        lambda: model,
        Concatenated(images, memory.images),
        np.concatenate([labels, memory.labels]),
        settings.of_task(not num_classes(model), earlier),
        on_epoch,
        original_counts=memory.original_counts,
        statistics=statistics,
    )
    freeze(trained.model, frozen)
    memory = remembered(trained.model, memory, images, labels, settings)
    return trained.model, memory, trained.statistics


def remembered(model, memory, images, labels, settings):
    """Adds exemplars of classes that the model knows to a memory; see `ExemplarMemory.update`."""
    num_seen = num_classes(model)
    # Without a budget nothing is chosen, and the features of many images take long.
    chooses = settings.budget > 0
    return memory.update(
        images,
        labels,
        features_of(model, images) if chooses else np.zeros((len(images), 0), "float32"),
        num_seen,
        budget=settings.budget,
        per_class=settings.exemplars.per_class,
        selection=settings.exemplars.selection,
        generator=np.random.default_rng([settings.seed, num_seen]),
    )


def _statistics(images):
    """Computes mean and standard deviation of each channel, for images of any range."""
    if images.dtype == np.uint8:
        return channel_statistics(images)
    mean = images.mean(axis=(0, 1, 2), dtype="float64")
    std = images.std(axis=(0, 1, 2), dtype="float64")
    # The deviation of a constant channel is 0, by which nothing can be divided.
    return mean.tolist(), np.where(std > 1e-6 * np.abs(images).max(), std, 1.0).tolist()
