"""The confusion matrix of the last model: squares with numbers, or a picture of many classes."""

import base64
import io
import itertools
import math

import numpy as np
from PIL import Image

from tfcil.report.page.heat import heat_map

FEW = 20  # up to so many classes are drawn as squares with numbers
LARGEST = 600  # pixels of the picture's side
HIT, ERROR = (0, 114, 178), (213, 94, 0)  # of Okabe and Ito's palette for the colour-blind
_LEVELS = 127


def confusion_figure(experiment) -> dict:
    """Computes `heat`, a heat map of few classes, or `picture`, a PNG of many; the other is `None`.

    With the picture come the positions of the tasks and the numbers for its tooltip.
    """
    if len(experiment.results.confusion) <= FEW:
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
    return heat_map(
        "Confusion matrix of the last model",
        rows,
        [str(number) for number in range(len(names))],
        cells,
        titles=("", "taken for class number"),
        left=132,
        errors=True,
        most=FEW,
    )


def _shortened(name, most=16) -> str:
    return name if len(name) <= most else "…" + name[-most + 1 :]


def _picture(experiment) -> dict:
    results = experiment.results
    confusion, count = results.confusion, len(results.confusion)
    rows, columns = np.nonzero(confusion)
    block = math.ceil(count / LARGEST)
    ends = [0, *results.num_classes]
    middles = [(first + end) / 2 / count for first, end in itertools.pairwise(ends)]
    return {
        "png": _png(confusion, block),
        "classes": count,
        "sharp": count <= LARGEST / 2,
        "pooled": block,
        "borders": [round(end / count, 4) for end in ends[1:-1]],
        "tasks": _spread(zip(middles, results.tasks, strict=True)),
        "data": {
            "names": experiment.class_names,
            "totals": confusion.sum(axis=1).tolist(),
            "cells": np.stack([rows, columns, confusion[rows, columns]], axis=1).ravel().tolist(),
        },
    }


def _spread(labels, room=0.045) -> list[tuple[float, str]]:
    """Leaves out labels that would overlap the one before."""
    shown = []
    for at, text in labels:
        if not shown or at - shown[-1][0] >= room:
            shown.append((round(at, 4), text))
    return shown


def _png(confusion, block) -> str:
    """Draws hits in one colour and errors in another, on transparent ground for dark pages."""
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # The root, from a quarter on: single errors among a thousand classes stay visible.
    level = (np.ceil((0.25 + 0.75 * np.sqrt(shares)) * _LEVELS) * (shares > 0)).astype(np.uint8)
    level[~np.eye(len(level), dtype=bool) & (level > 0)] += _LEVELS
    image = Image.fromarray(_pooled(level, block))
    alphas = np.linspace(0, 255, _LEVELS + 1).round().astype(int)[1:].tolist()
    image.putpalette([255, 255, 255, *HIT * _LEVELS, *ERROR * _LEVELS])
    return as_uri(image, "PNG", transparency=bytes([0, *alphas, *alphas]), optimize=True)


def _pooled(level, block) -> np.ndarray:
    """Takes the strongest class of each block, so that a single error is not averaged away.

    Blocks on the diagonal show their hits: errors would hide the diagonal otherwise.
    """
    padded = np.pad(level, (0, -len(level) % block))
    size = len(padded) // block
    pooled = padded.reshape(size, block, size, block).max(axis=(1, 3))
    hits = padded.diagonal().reshape(size, block).max(axis=1)
    np.fill_diagonal(pooled, np.where(hits > 0, hits, pooled.diagonal()))
    return pooled


def as_uri(image, kind, **options) -> str:
    """Encodes a Pillow image as a data URI."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{encoded}"
