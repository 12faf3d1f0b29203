"""The confusion matrix of the last model: squares with numbers, or a picture of many classes."""

import base64
import io
import itertools
import math

import numpy as np
from PIL import Image

from tfcil.report.page.heat import heat_map
from tfcil.report.tables import confused_pairs

FEW = 20  # largest number of classes that is drawn as squares with numbers
LARGEST = 600  # pixels of the picture's side
HIT, ERROR = (0, 114, 178), (213, 94, 0)  # of Okabe and Ito's palette for the colour-blind
_LEVELS = 127


def confusion_figure(experiment) -> dict:
    """Computes the figure of the confusions between classes.

    Returns:
        Dictionary with `heat`, a heat map, and `picture`, a PNG with the positions of the tasks and
        the numbers for its tooltip; one of them is `None`.
    """
    results = experiment.results
    if len(results.confusion) <= FEW:
        return {"heat": _squares(experiment), "picture": None}
    return {"heat": None, "picture": _picture(experiment)}


def _squares(experiment) -> dict:
    confusion, names = experiment.results.confusion, experiment.class_names
    totals = np.maximum(confusion.sum(axis=1), 1)
    cells = [
        (
            *(row, column, math.sqrt(images / totals[row]), str(images or "")),
            f"{names[row]} taken for {names[column]}: {images} of {totals[row]} images",
        )
        for row, line in enumerate(confusion.tolist())
        for column, images in enumerate(line)
    ]
    rows = [f"{_shortened(name)} · {number}" for number, name in enumerate(names)]
    made = heat_map(
        "Confusion matrix of the last model",
        *(rows, [str(number) for number in range(len(names))], cells),
        ("", "taken for class number"),
        left=132,
        styles=lambda row, column: row != column,
        most=FEW,
    )
    return made | {"scale": None}


def _shortened(name, most=16) -> str:
    return name if len(name) <= most else "…" + name[-most + 1 :]


def _picture(experiment) -> dict:
    results = experiment.results
    count = len(results.confusion)
    rows, columns = np.nonzero(results.confusion)
    triples = np.stack([rows, columns, results.confusion[rows, columns]], axis=1)
    ends = [0, *results.num_classes]
    middles = [(first + end) / 2 / count for first, end in itertools.pairwise(ends)]
    return {
        "png": _png(results.confusion),
        "classes": count,
        "sharp": count <= LARGEST / 2,
        "pooled": _block(count),
        "borders": [round(end / count, 4) for end in ends[1:-1]],
        "tasks": _spread(zip(middles, results.tasks, strict=True)),
        "data": {
            "names": experiment.class_names,
            "totals": results.confusion.sum(axis=1).tolist(),
            "cells": triples.ravel().tolist(),
        },
    }


def _spread(labels, room=0.045) -> list[tuple[float, str]]:
    """Leaves out labels that would overlap the one before."""
    shown = []
    for at, text in labels:
        if not shown or at - shown[-1][0] >= room:
            shown.append((round(at, 4), text))
    return shown


def _block(count) -> int:
    return math.ceil(count / LARGEST)


def _png(confusion) -> str:
    """Draws hits in one colour and errors in another, on transparent ground for dark pages."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # The root, from a quarter on: single errors among a thousand classes stay visible.
    level = np.where(shares > 0, np.ceil((0.25 + 0.75 * np.sqrt(shares)) * _LEVELS), 0)
    level = level.astype(np.uint8)
    level[~np.eye(len(level), dtype=bool) & (level > 0)] += _LEVELS
    image = Image.fromarray(_pooled(level, _block(len(level))))
    alphas = np.linspace(0, 255, _LEVELS + 1).round().astype(int)[1:].tolist()
    image.putpalette([255, 255, 255, *HIT * _LEVELS, *ERROR * _LEVELS])
    return as_uri(image, "PNG", transparency=bytes([0, *alphas, *alphas]), optimize=True)


def _pooled(level, block) -> np.ndarray:
    """Takes the strongest class of each block, so that a single error is not averaged away.

    Blocks on the diagonal show their hits: errors would hide the diagonal otherwise.
    """
    if block == 1:
        return level
    size = math.ceil(len(level) / block)
    padded = np.zeros((size * block, size * block), np.uint8)
    padded[: len(level), : len(level)] = level
    pooled = padded.reshape(size, block, size, block).max(axis=(1, 3))
    hits = np.zeros(size * block, np.uint8)
    hits[: len(level)] = level.diagonal()
    hits = hits.reshape(size, block).max(axis=1)
    diagonal = np.arange(size)
    pooled[diagonal, diagonal] = np.where(hits > 0, hits, pooled[diagonal, diagonal])
    return pooled


def as_uri(image, kind, **options) -> str:
    """Encodes a Pillow image as a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{encoded}"


def most_confused(experiment, most=25) -> list[dict]:
    """Returns the most frequent confusions, with the names of their classes and tasks."""
    results, names = experiment.results, experiment.class_names
    totals, task_of = results.confusion.sum(axis=1), results.task_of_class()
    return [
        {
            "actual": names[actual],
            "actual_task": results.tasks[task_of[actual]],
            "predicted": names[predicted],
            "predicted_task": results.tasks[task_of[predicted]],
            "images": images,
            "total": int(totals[actual]),
        }
        for actual, predicted, images in confused_pairs(results)[:most]
    ]
