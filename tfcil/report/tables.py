"""The data behind every figure, as CSV files in report/."""

import csv

import numpy as np

from tfcil.report.experiment import is_term


def write_tables(folder, experiment) -> None:
    """Writes every CSV file of the report; equal results give equal bytes.

    Args:
        folder: where there is nothing yet.
        experiment: the `Experiment`.
    """
    results = experiment.results
    write_accuracy_table(folder / "accuracy.csv", results)
    write_confusion_table(folder / "confusion.csv", results)
    _write(folder / "matrix.csv", _matrix_rows(results))
    _write(folder / "task_confusion.csv", _task_confusion_rows(results))
    _write(folder / "per_class.csv", _class_rows(experiment))
    _write(folder / "confused_pairs.csv", _pair_rows(experiment))
    _write(folder / "training.csv", _training_rows(experiment))


def _write(path, rows) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)


def write_accuracy_table(path, results) -> None:
    """Writes a row per task: classes seen, and accuracy on all, old and new ones.

    Args:
        path: the CSV file.
        results: the experiment's `Results`.
    """
    rows = accuracy_rows(results)
    _write(path, [list(rows[0]), *(row.values() for row in rows)])


def accuracy_rows(results) -> list[dict]:
    """Computes the rows of `write_accuracy_table`; an accuracy that is undefined is empty."""
    curves = {rule: matrix.curve() for rule, matrix in results.matrices.items()}
    rows = []
    for position, task in enumerate(results.tasks):
        old, new = results.matrices["cnn"].old_new(position)
        # `dvc plots` wants the column also where there is no nearest mean of exemplars.
        row = {"task": task, "classes": results.num_classes[position], "cnn": "", "nme": ""}
        row |= {rule: _rounded(curve[position]) for rule, curve in curves.items()}
        rows.append(row | {"old": _rounded(old), "new": _rounded(new)})
    return rows


def _rounded(figure):
    return "" if np.isnan(figure) else round(float(figure), 4)


def write_confusion_table(path, results) -> None:
    """Writes a row per kind of confusion after the last task, for `dvc plots`.

    Args:
        path: the CSV file; columns `actual`, `predicted` (ranks of the classes) and `images`.
        results: the experiment's `Results`.
    """
    cells = np.argwhere(results.confusion).tolist()
    rows = ([*cell, int(results.confusion[tuple(cell)])] for cell in cells)
    _write(path, [["actual", "predicted", "images"], *rows])


def _matrix_rows(results):
    rules = results.matrices
    accuracies = {rule: matrix.accuracies() for rule, matrix in rules.items()}
    yield ["after", "task", *rules]
    for row, after in enumerate(results.tasks):
        for column, task in enumerate(results.tasks[: row + 1]):
            yield [after, task, *(_rounded(one[row, column]) for one in accuracies.values())]


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
    """Long form, a row per value: tasks and stages have terms of their own."""
    yield ["task", "stage", "epoch", "term", "value"]
    for task, rows in experiment.curves.items():
        for row in rows:
            for name, value in row.items():
                if is_term(name) or name in ("loss", "accuracy", "alpha"):
                    yield [task, row["stage"], int(row["epoch"]), name, value]
