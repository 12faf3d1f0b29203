"""Accuracy of each class under the last model, and exemplars of some classes."""

import numpy as np
from PIL import Image

from tfcil.report.page.chart import Axis, Series, bar_chart
from tfcil.report.page.confusion import as_uri
from tfcil.report.tables import class_rows

PICTURED = 20  # classes with pictures of exemplars; every task has at least one
_SIDE = 64  # largest side of a picture in pixels
_LOSSLESS = 40  # up to this side a picture is PNG, otherwise JPEG


def sorted_classes(experiment) -> list[dict]:
    """Returns the `class_rows`, the least accurate first, those without images last."""
    key = "accuracy"
    return sorted(class_rows(experiment), key=lambda row: 2 if row[key] is None else row[key])


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
    """Chooses classes of every task, from its least to its most accurate.

    Returns:
        The rows of these classes, and `pictures`: data URIs of exemplars in the order of rank.
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
