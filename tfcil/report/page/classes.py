"""Accuracy of each class under the last model, and exemplars of some classes."""

import math

import numpy as np
from PIL import Image

from tfcil.report.page.chart import Axis, Series, bar_chart
from tfcil.report.page.confusion import as_uri

PICTURED = 20  # classes with pictures of exemplars; every task has at least one
_SIDE = 64  # largest side of a picture in pixels
_LOSSLESS = 40  # up to this side a picture is PNG, otherwise JPEG


def class_rows(experiment) -> list[dict]:
    """Computes a row per class, the least accurate first."""
    results, names = experiment.results, experiment.class_names
    images, hits = results.confusion.sum(axis=1), results.confusion.diagonal()
    wrong = results.confusion - np.diag(hits)
    taken, task_of = wrong.argmax(axis=1), results.task_of_class()
    accuracy = results.class_accuracy()
    kept = None if experiment.kept is None else experiment.kept.counts(len(images))
    rows = [
        {
            "number": number,
            "name": names[number],
            "task": results.tasks[task_of[number]],
            "accuracy": None if math.isnan(accuracy[number]) else float(accuracy[number]),
            "correct": int(hits[number]),
            "images": int(images[number]),
            "taken": names[taken[number]] if wrong[number, taken[number]] else "",
            "taken_images": int(wrong[number, taken[number]]),
            "kept": None if kept is None else int(kept[number]),
        }
        for number in range(len(images))
    ]
    return sorted(rows, key=lambda row: 2 if row["accuracy"] is None else row["accuracy"])


def class_chart(experiment, rows) -> dict:
    """Computes a bar for each class, the least accurate first."""
    last = experiment.results.tasks[-1]
    captions = [f"{row['name']} (task {row['task']})" for row in rows]
    older = [None if row["task"] == last else row["accuracy"] for row in rows]
    newest = [row["accuracy"] if row["task"] == last else None for row in rows]
    series = [Series("old classes", older), Series("new classes", newest)]
    ticks = [(number, str(number + 1)) for number in _even(len(rows), 6)]
    return bar_chart(
        "Accuracy of each class, sorted",
        captions,
        series if len(experiment.results.tasks) > 1 else [Series("classes", newest)],
        Axis("accuracy in %", 0.0, 1.0, percent=True),
        ticks,
        "classes, sorted by accuracy",
        stacked=True,
    )


def pictured_exemplars(experiment, rows) -> list[dict]:
    """Chooses classes of every task, from its least to its most accurate, with their exemplars.

    Returns:
        A dictionary per class: `name`, `task`, `accuracy`, `kept` and `pictures` (data URIs in the
        order of their rank).
    """
    tasks, kept = experiment.results.tasks, experiment.kept
    if kept is None or not len(kept.labels):
        return []
    per_task = max(1, PICTURED // len(tasks))
    most = 10 if len(tasks) * per_task <= PICTURED else 6
    by_task = {task: [row for row in rows if row["task"] == task] for task in tasks}
    return [
        {
            **members[position],
            "pictures": [
                _picture(image)
                for image in kept.images[kept.labels == members[position]["number"]][:most]
            ],
        }
        for members in by_task.values()
        for position in _even(len(members), per_task)
    ]


def _even(count, most) -> list[int]:
    """Returns at most that many positions at even distances, first and last included."""
    return sorted({round(position) for position in np.linspace(0, count - 1, min(count, most))})


def _picture(pixels) -> str:
    pixels = pixels if pixels.shape[-1] == 3 else pixels[..., 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if max(image.size) <= _LOSSLESS:
        return as_uri(image, "PNG", optimize=True)
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    return as_uri(image, "JPEG", quality=80)
