"""Stage `prepare`: a data set becomes the images of each task."""

import numpy as np

from tfcil.data import load_dataset
from tfcil.data.store import write_images
from tfcil.files import write_atomically, write_json
from tfcil.scenario import build_tasks, class_order
from tfcil.stages.layout import Layout


def prepare(layout: Layout, params) -> None:
    """Writes data/: the train and test images of each task, with labels ranked by arrival.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; only `dataset`, `scenario` and `tasks` are read.
    """
    dataset = load_dataset(params.dataset)
    order = class_order(params.scenario.order, len(dataset.class_names))
    specs = {key: spec.model_dump() for key, spec in params.tasks.items()}
    tasks = build_tasks(specs, order, dataset.class_names)
    names, seen = [], []
    with (
        write_atomically(layout.train_images(tasks[0].key).parent) as train,
        write_atomically(layout.test_images(tasks[0].key).parent) as test,
        write_atomically(layout.seen(tasks[0].key).parent) as manifests,
    ):
        for task in tasks:
            names.extend(task.names)
            images, labels = _images_of(task, dataset.train_images, dataset.train_labels)
            write_images(train / task.key, images, labels, classes=list(names))
            if task.num_old == 0:
                write_json(layout.image_format, _format(images))
            images, labels = _images_of(task, dataset.test_images, dataset.test_labels)
            digest = write_images(test / task.key, images, labels)
            seen.append({"task": task.key, "images": len(labels), "digest": digest})
            write_json(manifests / f"{task.key}.json", {"seen": seen})


def _images_of(task, images, labels):
    """The images of a task's classes, in the data set's order, with their ranks as labels."""
    rank_of = np.full(max(labels.max(), *task.labels) + 1, -1)
    rank_of[list(task.labels)] = task.ranks
    ranks = rank_of[labels]
    return images[ranks >= 0], ranks[ranks >= 0]


def _format(images) -> dict:
    """Shape and statistics of the first task's images: the only ones the model may start from."""
    pixels = images.reshape(-1, images.shape[-1])
    return {
        "shape": list(images.shape[1:]),
        "mean": [round(float(one), 4) for one in pixels.mean(axis=0)],
        "std": [round(max(float(one), 1.0), 4) for one in pixels.std(axis=0)],
    }
