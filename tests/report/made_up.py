"""Makes the files of an experiment that never ran: any number of tasks and classes."""

import csv
import itertools

import numpy as np
from tiny_params import tiny_params

from tfcil.config.params import Params
from tfcil.exemplars import ExemplarMemory
from tfcil.files import write_json
from tfcil.stages.layout import Layout
from tfcil.stages.train import COLUMNS

RECIPE = {"epochs": 4, "batch_size": 16}


def params_of(sizes, memory=20, **others):
    """Whole parameters of tasks with the given numbers of classes."""
    sections = {"memory": memory, "base": RECIPE, "increment": RECIPE} | others
    return Params.of(tiny_params(*sizes, **sections), source="test")


def write_experiment(
    root,
    sizes,
    memory=20,
    names=None,
    images=5,
    side=8,
    channels=3,
    split="test",
    seed=0,
    epochs=4,
    trained_on=None,
):
    """Writes what the stage report reads.

    Args:
        root: the folder.
        sizes: classes of each task.
        memory: budget of exemplars.
        names: of the classes.
        images: test images of each class.
        side, channels: of the exemplars.
        split: what was evaluated on.
        seed: of the predictions.
        epochs: rows of the training curves.
        trained_on: training images of each class; `None`: 500.

    Returns:
        The layout and the parameters.
    """
    layout, params = Layout.of(root), params_of(sizes, memory)
    generator = np.random.default_rng(seed)
    ends, keys = np.cumsum(sizes), list(params.tasks)
    names = names or [f"class number {number}" for number in range(ends[-1])]
    for number, key in enumerate(keys):
        seen = keys[: number + 1]
        confusion = _confusion(generator, ends[number], images, number)
        evaluation = _evaluation(confusion, seen, [0, *ends[: number + 1]], memory, split)
        evaluation["class_sizes"] = (trained_on or [500] * ends[-1])[: ends[number]]
        write_json(layout.evaluation(key), evaluation)
        write_json(layout.class_names(key), {"classes": names[: ends[number]]})
        _write_curve(layout.curve(key), number, epochs)
        write_json(layout.log(key), _log(key, epochs))
    kept = memory // int(ends[-1])
    labels = np.repeat(np.arange(ends[-1], dtype=np.int32), kept)
    ranks = np.tile(np.arange(kept, dtype=np.int32), ends[-1])
    pictures = generator.integers(0, 256, (len(labels), side, side, channels), np.uint8)
    ExemplarMemory(pictures, labels, ranks).save(layout.memory(keys[-1]))
    return layout, params


def _confusion(generator, classes, images, age):
    labels = np.repeat(np.arange(classes), images)
    wrong = generator.random(len(labels)) < 0.08 + 0.3 * age / (age + 10)
    guesses = (labels + generator.geometric(0.02, len(labels))) % classes
    predicted = np.where(wrong, guesses, labels)
    confusion = np.zeros((classes, classes), int)
    np.add.at(confusion, (labels, predicted), 1)
    return confusion


def _evaluation(confusion, seen, ends, memory, split):
    pairs = list(itertools.pairwise(ends))
    hits = confusion.diagonal()
    totals = [int(confusion[first:last].sum()) for first, last in pairs]
    right = [int(hits[first:last].sum()) for first, last in pairs]
    correct = {"cnn": right}
    if memory:
        correct["nme"] = [max(one - 1, 0) for one in right]
    return {
        "task": seen[-1],
        "split": split,
        "tasks": seen,
        "images": totals,
        "correct": correct,
        "confusion": confusion.tolist(),
        "measures": {"calibration_error": round(0.03 * len(seen), 4)},
    }


def _write_curve(path, number, epochs):
    rows = []
    for epoch in range(1, epochs + 1):
        loss = 4 / epoch
        row = {
            "epoch": epoch,
            "phase": "main",
            "images": 512,
            "loss": loss,
            "accuracy": 1 - loss / 5,
        }
        if number:
            row |= {"classification": 0.7 * loss, "distillation": 0.3 * loss}
            row["phase"] = "main" if epoch < epochs else "balancing"
        rows.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0] if rows else COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def _log(key, epochs):
    return {
        "task": key,
        "began": "2026-01-31 12:00:00 UTC",
        "seconds": 61.5,
        "images": 512 * epochs,
        "peak_memory_bytes": 800_000_000,
        "backend": "tensorflow",
        "versions": {"tfcil": "0.1.0", "python": "3.11", "tensorflow": "2.20", "keras": "3.12"},
        "devices": ["CPU"],
        "processor": "two cores",
        "system": "Linux",
    }
