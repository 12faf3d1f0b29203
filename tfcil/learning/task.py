"""Learns one task: takes a model, images and labels, and returns a model of all classes."""

import contextlib
import dataclasses
import random
from typing import Any, NamedTuple

import numpy as np

from tfcil.classifier import features_of, freeze_network, frozen, num_classes, plain, takes
from tfcil.errors import UserError
from tfcil.learning.adapter import with_trained_adapter
from tfcil.training.on_features import on_features, suits, with_network
from tfcil.training.strategy import devices, writes
from tfcil.training.task import Task, check_labels
from tfcil.training.train import Trainer


class Trained(NamedTuple):
    """One task, learned.

    Args:
        model: of all classes, of Keras's own layers only.
        curve: a dictionary per epoch.
        statistics: dictionary of the arrays that the method keeps of the classes.
    """

    model: Any
    curve: list
    statistics: dict


def train_task(
    open_teacher,
    images,
    labels,
    settings,
    on_epoch=None,
    checkpoint=None,
    original_counts=(),
    statistics=None,
    extract=features_of,
):
    """Trains a model on the classes it has no logits for yet.

    The first task has nothing to forget: it is trained on the classification loss alone, unless the
    method keeps statistics. A later one is learned by the method. The correction follows, if the
    settings name one.

    Args:
        open_teacher: `() -> model` of the task before, or an untrained one; called in the scope in
            which models must be made.
        images: (n, height, width, channels) uint8 or float32: the new images and the exemplars.
        labels: (n,) integers; the new classes follow those of the teacher.
        settings: the `TaskSettings`.
        on_epoch: `(row, epochs)`, called after each epoch with its row of the curve, and the
            number of epochs of all phases so far.
        checkpoint: the `Checkpoint` from which a killed training goes on.
        original_counts: images that each old class came with, as far as they are known.
        statistics: those of the task before, see `Trained`.
        extract: function of a classifier and images that returns features, such as a
            `FeatureCache`.

    Returns:
        The `Trained` task.

    Raises:
        UserError: where the labels don't fit the teacher, or the loss stops being finite.
        PeerLost: where one of several machines is lost.
        MemberDone: on all machines but the chief, which returns the result.
    """
    with devices(settings.strategy) as num_devices:
        if not writes():
            on_epoch = checkpoint = None
        teacher = open_teacher()
        with _seeded(settings.seed, num_classes(teacher)):
            train = Trainer(settings.seed, num_devices, on_epoch, checkpoint)
            task = _task(teacher, images, np.asarray(labels), settings)
            task = dataclasses.replace(
                task,
                original_counts=tuple(original_counts),
                statistics=statistics or {},
                extract=extract,
            )
            model, statistics = _learned(task, train, settings)
            return Trained(model, train.curve, statistics)


def _learned(task, train, settings):
    """Learns a task; returns the model and the statistics."""
    method = settings.method and settings.method.load("method")
    loss = settings.loss.load("loss")
    correction = settings.correction and settings.correction.load("correction")
    if correction:
        task = _without_reserved(task, correction)
    if method:
        task = dataclasses.replace(task, finetuning=method.defined("finetuning"))
    for one in filter(None, (method, loss, correction)):
        one.defined("check", lambda task: None)(task)
    task = with_trained_adapter(task, train)
    statistics = {}
    keeps_statistics = method is not None and method.facts.keeps_statistics
    by_features = not keeps_statistics and suits(task)
    if by_features:
        network = frozen(task.teacher)
        task = on_features(task, network)
    if keeps_statistics:
        trained, statistics = method.defined("learn")(task, train)
    elif method:
        trained = method.defined("learn")(task, train)
    else:
        trained = train(task, task.phase([task.classification()]))
    if correction:
        trained = correction.defined("correct")(task, train, trained)
    trained = plain(trained)
    if by_features:
        trained = with_network(network, trained)
    for layer in trained.layers:
        layer.trainable = True
    if keeps_statistics or task.recipe.trainable == "head":
        freeze_network(trained)
    return trained, statistics


def _task(teacher, images, labels, settings) -> Task:
    if not takes(teacher, images.shape[1:]):
        raise UserError(
            f"Expected images {tuple(teacher.input.shape[1:])}, as the model takes them. "
            f"Received: images {tuple(images.shape[1:])}"
        )
    num_old = num_classes(teacher)
    num_new, earlier = check_labels(labels, num_old, settings.earlier)
    method = settings.method and settings.method.load("method")
    every_task = method is not None and method.facts.keeps_statistics
    if not every_task and bool(num_old) != (method is not None):
        raise UserError(
            "Expected a method for every task but the first. "
            f"Received: a model of {num_old} classes, method={settings.method}"
        )
    return Task(
        teacher=teacher,
        num_old=num_old,
        num_new=num_new,
        earlier=earlier,
        images=images,
        labels=labels,
        recipe=settings.recipe,
        head=settings.head,
        loss=settings.loss.load("loss").defined("term"),
        generator=np.random.default_rng([settings.seed, num_old, 2]),
    )


def _without_reserved(task, correction) -> Task:
    """Sets the images aside that the correction needs and the training must not see."""
    reserve = correction.defined("reserve")
    if reserve is None:
        return task
    reserved = reserve(task)
    kept = np.setdiff1d(np.arange(len(task.labels)), reserved)
    return dataclasses.replace(task.only(kept), reserved=task.only(reserved))


@contextlib.contextmanager
def _seeded(seed, num_old):
    """Makes copied layers such as Dropout draw the same seeds in every process.

    Keras draws them from Python's global random state, which is restored.
    """
    before = random.getstate(), np.random.get_state()
    random.seed(f"{seed} {num_old}")
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
