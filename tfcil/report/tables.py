"""The data of every figure of the page, as CSV files in report/."""

import csv
import math

import numpy as np


def write_tables(folder, experiment) -> None:
    """Writes every CSV file of the report; equal results give equal bytes.

    Args:
        folder: an empty folder.
        experiment: the `Experiment`.
    """
    results = experiment.results
    write_accuracy_table(folder / "accuracy.csv", results)
    write_confusion_table(folder / "confusion.csv", results)
    _write(folder / "measures.csv", _measure_rows(results))
    _write(folder / "matrix.csv", _matrix_rows(results))
    _write(folder / "task_confusion.csv", _task_confusion_rows(results))
    _write(folder / "per_class.csv", _class_rows(experiment))
    _write(folder / "confused_pairs.csv", _pair_rows(experiment))
    _write(folder / "training.csv", _training_rows(experiment))


def _write(path, rows) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def task_rows(results) -> list[dict]:
    """Computes accuracies and measures after each task.

    Args:
        results: the experiment's `Results`.

    Returns:
        A dictionary per task: `task`; `classes` seen; `all`, the accuracy on them by rule; `old`
        and `new`, those of the primary rule on old and new classes; `measures`, by name. Values are
        floats, `None` where undefined.
    """
    curves = {rule: matrix.curve().tolist() for rule, matrix in results.matrices.items()}
    rows = []
    for number, task in enumerate(results.tasks):
        old, new = results.primary.old_new(number)
        row = {"task": task, "classes": results.num_classes[number]}
        row["all"] = {rule: curve[number] for rule, curve in curves.items()}
        row |= {"old": None if math.isnan(old) else old, "new": new}
        row["measures"] = {name: values[number] for name, values in results.measures.items()}
        rows.append(row)
    return rows


def write_accuracy_table(path, results) -> None:
    """Writes a row per task and rule: classes seen, and accuracy on all, old and new ones.

    Args:
        path: the CSV file.
        results: the experiment's `Results`.
    """
    _write(path, _accuracy_rows(results))


def _accuracy_rows(results):
    yield ["task", "classes", "rule", "all", "old", "new"]
    for rule, matrix in results.matrices.items():
        for number, accuracy in enumerate(matrix.curve()):
            figures = map(_rounded, (accuracy, *matrix.old_new(number)))
            yield [results.tasks[number], results.num_classes[number], rule, *figures]


def _measure_rows(results):
    yield ["task", "classes", "measure", "value"]
    for name, values in results.measures.items():
        for task, classes, value in zip(results.tasks, results.num_classes, values, strict=True):
            yield [task, classes, name, "" if value is None else _rounded(value)]


def _rounded(figure):
    return "" if np.isnan(figure) else round(float(figure), 4)


def write_confusion_table(path, results) -> None:
    """Writes the entries of the last task's confusion matrix that are not 0, a row each.

    Args:
        path: the CSV file; columns `actual`, `predicted` (ranks of the classes) and `images`.
        results: the experiment's `Results`.
    """
    cells = np.argwhere(results.confusion).tolist()
    rows = ([*cell, int(results.confusion[tuple(cell)])] for cell in cells)
    _write(path, [["actual", "predicted", "images"], *rows])


def _matrix_rows(results):
    yield ["after", "task", "rule", "accuracy"]
    for rule, matrix in results.matrices.items():
        accuracies = matrix.accuracies()
        for row, after in enumerate(results.tasks):
            for column, task in enumerate(results.tasks[: row + 1]):
                yield [after, task, rule, _rounded(accuracies[row, column])]


def _task_confusion_rows(results):
    yield ["actual", "predicted", "images"]
    for actual, row in zip(results.tasks, results.task_confusion().tolist(), strict=True):
        for predicted, images in zip(results.tasks, row, strict=True):
            yield [actual, predicted, images]


def _class_rows(experiment):
    results = experiment.results
    images, hits = results.confusion.sum(axis=1), results.confusion.diagonal()
    kept = None if experiment.kept is None else experiment.kept.counts(len(hits))
    yield ["class", "name", "task", "images", "correct", "accuracy", "exemplars"]
    for number, (task, accuracy) in enumerate(
        zip(results.task_of_class(), results.class_accuracy(), strict=True)
    ):
        yield [
            *(number, experiment.class_names[number], results.tasks[task]),
            *(int(images[number]), int(hits[number]), _rounded(accuracy)),
            "" if kept is None else int(kept[number]),
        ]


def confused_pairs(results) -> list[tuple[int, int, int]]:
    """Returns (actual, predicted, images) of every confusion, the most frequent first."""
    wrong = results.confusion - np.diag(results.confusion.diagonal())
    actual, predicted = np.nonzero(wrong)
    images = wrong[actual, predicted]
    order = np.lexsort((predicted, actual, -images))
    return list(zip(*(part[order].tolist() for part in (actual, predicted, images)), strict=True))


def _pair_rows(experiment):
    names, tasks = experiment.class_names, experiment.results.tasks
    task_of = experiment.results.task_of_class()
    of_class = experiment.results.confusion.sum(axis=1)
    yield ["actual", "actual_task", "predicted", "predicted_task", "images", "share"]
    for actual, predicted, images in confused_pairs(experiment.results):
        yield [
            *(names[actual], tasks[task_of[actual]], names[predicted], tasks[task_of[predicted]]),
            *(images, _rounded(images / of_class[actual])),
        ]


def _training_rows(experiment):
    """Yields a row per value, as tasks and phases differ in their terms."""
    yield ["task", "phase", "epoch", "term", "value"]
    for task, rows in experiment.curves.items():
        for row in rows:
            for name, value in row.items():
                if name not in ("epoch", "phase", "images"):
                    yield [task, row["phase"], int(row["epoch"]), name, value]
