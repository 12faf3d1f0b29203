"""Stage `prepare`: sorts the images of a data set by task."""

import contextlib
import csv
import sys

import numpy as np

from tfcil.console import image_progress
from tfcil.data.datasets import open_dataset
from tfcil.data.held_out import held_out, pixel_digest
from tfcil.data.images import channel_statistics
from tfcil.data.label_noise import noisy_labels
from tfcil.data.long_tail import long_tailed
from tfcil.data.own_images import check_apart
from tfcil.data.splits import of_one_shape
from tfcil.data.store import (
    images_digest,
    move_images,
    read_images,
    write_facts,
    write_labels,
    writing_images,
)
from tfcil.errors import UserError
from tfcil.files import write_atomically, write_json
from tfcil.scenario import build_tasks, class_order
from tfcil.stages.layout import Layout


def prepare(layout: Layout, params) -> None:
    """Writes data/: the train and test images of each task, with labels ranked by arrival.

    Reads `dataset`, `scenario`, `tasks` and `validation`. `long_tail` thins out the training images
    first. With `validation`, some of what is left is held out and replaces the test images.
    `label_noise` changes labels of the rest.

    Raises:
        UserError: a person's images lie where a stage writes, or cannot be used.
    """
    check_apart(params.dataset, layout.folders)
    dataset, tasks, arrival = _open(params)
    # Labels are checked before any image is stored, which may take hours.
    train_ranks = _ranks(dataset.train.labels, tasks, "train", params.dataset)
    if tail := params.dataset.long_tail:
        kept = long_tailed(dataset.train.labels, arrival, dataset.class_names, **dict(tail))
        train_ranks[~kept] = -1
    if not params.validation:
        test_ranks = _ranks(dataset.test.labels, tasks, "test", params.dataset)
    with (
        write_atomically(layout.train_images(tasks[0].key).parent) as train,
        write_atomically(layout.test_images(tasks[0].key).parent) as test,
        write_atomically(layout.seen(tasks[0].key).parent) as manifests,
    ):
        shape = _write_images(dataset.train, train_ranks, tasks, train, params.dataset)
        if params.validation:
            for task in tasks:
                _hold_out(task, train / task.key, test / task.key, params.validation)
        else:
            _write_images(dataset.test, test_ranks, tasks, test, params.dataset, shape)
        _write_manifests(tasks, train, test, manifests, params)
        if params.dataset.label_noise:
            _mislabel(tasks, train, params.dataset.label_noise)
        # The only images that the model may start from.
        mean, std = channel_statistics(read_images(train / tasks[0].key)[0])
        write_json(layout.image_format, {"shape": list(shape), "mean": mean, "std": std})
        _write_skipped(layout.skipped, dataset.skipped)


def _open(params):
    """Opens the data set, of a person's own images only the classes of the tasks.

    Returns it, the tasks, and the labels of all its classes in the order of arrival, those in no
    task last. With `long_tail` all classes are read: the largest one decides how many images the
    others have.
    """
    specs = {key: spec.model_dump() for key, spec in params.tasks.items()}

    def tasks_of(names):
        return build_tasks(specs, class_order(params.scenario.order, len(names)), names)

    def used(names):
        tasks = tasks_of(names)  # refuses wrong tasks before any image is read
        return names if params.dataset.long_tail else [name for one in tasks for name in one.names]

    dataset = open_dataset(params.dataset, used)
    tasks = tasks_of(dataset.class_names)
    taken = [label for task in tasks for label in task.labels]
    order = class_order(params.scenario.order, len(dataset.class_names))
    return dataset, tasks, [*taken, *(label for label in order if label not in taken)]


def _ranks(labels, tasks, part, settings):
    """Returns the rank of each image's class in the class order, -1 where no task has the class."""
    rank_of = np.full(max(labels.max(), *(max(task.labels) for task in tasks)) + 1, -1)
    for task in tasks:
        rank_of[list(task.labels)] = task.ranks
        for label, name in zip(task.labels, task.names, strict=True):
            if label not in labels:
                raise UserError(
                    "dataset: expected images of every class in both splits. Received: none of "
                    f"{name} in the {part} split of {settings.name}"
                )
    return rank_of[labels]


def _write_images(split, ranks, tasks, folder, settings, shape=None):
    """Writes each image into the file of its task as it is read; returns the images' shape."""
    chosen = ranks >= 0
    images = of_one_shape(split.images(chosen), settings.name, settings.image_size, shape)
    ranks = ranks[chosen]
    task_of = np.repeat(range(len(tasks)), [task.num_new for task in tasks])[ranks]
    stores = []
    with image_progress("storing", len(ranks)) as step, contextlib.ExitStack() as opened:
        for image, number in zip(images, task_of, strict=True):
            stores = stores or [
                opened.enter_context(
                    writing_images(folder / task.key, ranks[task_of == index], image)
                )
                for index, task in enumerate(tasks)
            ]
            stores[number](image)
            step()
    return image.shape


def _hold_out(task, train, test, fraction):
    """Moves a fraction of each class to the test images; an image's pixels decide."""
    images, labels = read_images(train)
    digests = np.array([pixel_digest(image) for image in images], object)
    held = np.zeros(len(labels), bool)
    for rank, name in zip(task.ranks, task.names, strict=True):
        of_class = digests[labels == rank].tolist()
        if len(set(of_class)) < 2:
            raise UserError(
                "validation: expected two different training images of each class at least, one "
                f"of them to hold out; {name} has one. Received: validation={fraction}"
            )
        held[labels == rank] = held_out(of_class, fraction)
    move_images(train, test, held)


def _write_manifests(tasks, train, test, manifests, params):
    """Writes class names beside each task's images; digests of test images, and class sizes."""
    split = "validation" if params.validation else "test"
    names, seen = [], []
    for task in tasks:
        names.extend(task.names)
        write_facts(train / task.key, classes=names, resize=params.dataset.resize)
        images, labels = read_images(test / task.key)
        trained = read_images(train / task.key)[1] - task.num_old
        seen.append(
            {
                "task": task.key,
                "images": len(labels),
                "digest": images_digest(images, labels),
                "class_sizes": np.bincount(trained, minlength=task.num_new).tolist(),
            }
        )
        write_json(manifests / f"{task.key}.json", {"split": split, "seen": seen})


def _mislabel(tasks, train, noise):
    for task in tasks:
        labels = read_images(train / task.key)[1]
        write_labels(train / task.key, noisy_labels(labels, noise.rate, noise.seed, task.key))


def _write_skipped(path, skipped):
    with (
        write_atomically(path) as aside,
        # A file name may be no valid Unicode.
        aside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows([("path", "class", "reason"), *skipped])
    if skipped:
        print(f"{len(skipped)} images were left out: {path} lists them", file=sys.stderr)
