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
    dataset = open_dataset(params.dataset, layout.root)
    order = class_order(params.scenario.order, len(dataset.class_names))
    specs = {key: spec.model_dump() for key, spec in params.tasks.items()}
    tasks = build_tasks(specs, order, dataset.class_names)
    with (
        write_atomically(layout.train_images(tasks[0].key).parent) as train,
        write_atomically(layout.test_images(tasks[0].key).parent) as test,
        write_atomically(layout.seen(tasks[0].key).parent) as manifests,
    ):
        shape = _write_images(dataset.train, tasks, train, params.dataset)
        _write_images(dataset.test, tasks, test, params.dataset, shape)
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


def _write_images(split, tasks, folder, settings, shape=None):
    """Writes each image into the file of its task as it comes; returns the images' shape."""
    names = [name for task in tasks for name in task.names]
    ranks = _ranks(split.labels, tasks)
    counts = np.bincount(ranks[ranks >= 0], minlength=len(names))
    if not counts.all():
        raise UserError(
            f"dataset: expected images of every class in both splits. "
            f"Received: none of {names[counts.argmin()]} in one split of {settings.name}"
        )
    task_of = np.repeat(range(len(tasks)), [task.num_new for task in tasks])[ranks]
    stores, written = [], [0] * len(tasks)
    images = of_one_shape(split.images(ranks >= 0), settings.name, settings.image_size, shape)
    for image, number in zip(images, task_of[ranks >= 0], strict=True):
        stores = stores or [
            create_images(folder / task.key, ranks[(ranks >= 0) & (task_of == index)], image.shape)
            for index, task in enumerate(tasks)
        ]
        stores[number][written[number]] = image
        written[number] += 1
    return stores[0].shape[1:]


def _ranks(labels, tasks):
    """Ranks in the class order, -1 for the classes that no task brings."""
    rank_of = np.full(max(labels.max(), *(max(task.labels) for task in tasks)) + 1, -1)
    for task in tasks:
        rank_of[list(task.labels)] = task.ranks
    return rank_of[labels]
