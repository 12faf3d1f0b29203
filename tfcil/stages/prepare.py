"""Stage `prepare`: a data set becomes the images of each task."""

import numpy as np

from tfcil.data.datasets import open_dataset
from tfcil.data.images import channel_statistics
from tfcil.data.splits import of_one_shape
from tfcil.data.store import create_images, read_images, write_facts
from tfcil.errors import UserError
from tfcil.files import digest, write_atomically, write_json
from tfcil.scenario import build_tasks, class_order
from tfcil.stages.layout import Layout


def prepare(layout: Layout, params) -> None:
    """Writes data/: the train and test images of each task, with labels ranked by arrival.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; only `dataset`, `scenario` and `tasks` are read.
    """
    dataset = open_dataset(params.dataset)
    order = class_order(params.scenario.order, len(dataset.class_names))
    specs = {key: spec.model_dump() for key, spec in params.tasks.items()}
    tasks = build_tasks(specs, order, dataset.class_names)
    # Before any image is read, which may take hours.
    train_ranks = _ranks(dataset.train.labels, tasks, "train", params.dataset)
    test_ranks = _ranks(dataset.test.labels, tasks, "test", params.dataset)
    with (
        write_atomically(layout.train_images(tasks[0].key).parent) as train,
        write_atomically(layout.test_images(tasks[0].key).parent) as test,
        write_atomically(layout.seen(tasks[0].key).parent) as manifests,
    ):
        shape = _write_images(dataset.train, train_ranks, tasks, train, params.dataset)
        _write_images(dataset.test, test_ranks, tasks, test, params.dataset, shape)
        names, seen = [], []
        for task in tasks:
            names.extend(task.names)
            write_facts(train / task.key, classes=names)
            images, labels = read_images(test / task.key)
            seen.append({"task": task.key, "images": len(labels), "digest": digest(images, labels)})
            write_json(manifests / f"{task.key}.json", {"seen": seen})
        # The only images that the model may start from.
        mean, std = channel_statistics(read_images(train / tasks[0].key)[0])
        write_json(layout.image_format, {"shape": list(shape), "mean": mean, "std": std})


def _ranks(labels, tasks, part, settings):
    """Ranks of the images' classes in the class order, -1 where no task brings the class."""
    rank_of = np.full(max(labels.max(), *(max(task.labels) for task in tasks)) + 1, -1)
    for task in tasks:
        rank_of[list(task.labels)] = task.ranks
        without = [
            name
            for label, name in zip(task.labels, task.names, strict=True)
            if not np.any(labels == label)
        ]
        if without:
            raise UserError(
                "dataset: expected images of every class in both splits. Received: none of "
                f"{without[0]} in the {part} split of {settings.name}"
            )
    return rank_of[labels]


def _write_images(split, ranks, tasks, folder, settings, shape=None):
    """Writes each image into the file of its task as it comes; returns the images' shape."""
    chosen = ranks >= 0
    images = of_one_shape(split.images(chosen), settings.name, settings.image_size, shape)
    ranks = ranks[chosen]
    task_of = np.repeat(range(len(tasks)), [task.num_new for task in tasks])[ranks]
    stores, written = [], [0] * len(tasks)
    for image, number in zip(images, task_of, strict=True):
        stores = stores or [
            create_images(folder / task.key, ranks[task_of == index], image.shape)
            for index, task in enumerate(tasks)
        ]
        stores[number][written[number]] = image
        written[number] += 1
    return stores[0].shape[1:]
