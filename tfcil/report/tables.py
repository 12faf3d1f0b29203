"""The data of every figure of the page, as CSV files in report/."""

import csv
import math

import numpy as np


def write_tables(folder, experiment) -> None:
    """Writes every CSV file of the report into a folder; equal results give equal bytes."""
    results = experiment.results
    tables = {
        "accuracy": accuracy_table(results),
        "measures": _measure_table(results),
        "matrix": _matrix_table(results),
        "confusion": confusion_table(results),
        "task_confusion": _task_confusion_table(results),
        "per_class": _class_table(experiment),
        "confused_pairs": _pair_table(experiment),
        "training": _training_table(experiment),
    }
    if results.shots:
        tables["shots"] = _shot_table(results)
    for name, rows in tables.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


def _rounded(figure):
    return "" if figure is None or np.isnan(figure) else round(float(figure), 4)


def task_rows(results) -> list[dict]:
    """Computes accuracies and measures after each task.

    Returns:
        A dictionary per task: `task`; `classes` seen; `all`, the accuracy on them by rule; `old`
        and `new`, those of the primary rule on old and new classes; `measures`, by name; `shots`,
        those of the primary rule by class size. Values are floats, `None` where undefined.
    """
    curves = {rule: matrix.curve().tolist() for rule, matrix in results.matrices.items()}
    return [
        {
            "task": task,
            "classes": results.num_classes[number],
            "all": {rule: curve[number] for rule, curve in curves.items()},
            "old": _known(results.primary.old_new(number)[0]),
            "new": _known(results.primary.old_new(number)[1]),
            "measures": {name: values[number] for name, values in results.measures.items()},
            "shots": results.shots[number] if results.shots else {},
        }
        for number, task in enumerate(results.tasks)
    ]


def _known(figure) -> float | None:
    return None if math.isnan(figure) else float(figure)


def accuracy_table(results):
    """Yields a row per rule and task: classes seen, and accuracy on all, old and new ones."""
    yield ["task", "classes", "rule", "all", "old", "new"]
    for rule, matrix in results.matrices.items():
        for number, accuracy in enumerate(matrix.curve()):
            figures = map(_rounded, (accuracy, *matrix.old_new(number)))
            yield [results.tasks[number], results.num_classes[number], rule, *figures]


def _measure_table(results):
    yield ["task", "classes", "measure", "value"]
    for name, values in results.measures.items():
        for task, classes, value in zip(results.tasks, results.num_classes, values, strict=True):
            yield [task, classes, name, _rounded(value)]


def _shot_table(results):
    yield ["task", "classes", "group", "accuracy"]
    for row in task_rows(results):
        for group, accuracy in row["shots"].items():
            yield [row["task"], row["classes"], group, _rounded(accuracy)]


def _matrix_table(results):
    yield ["after", "task", "rule", "accuracy"]
    for rule, matrix in results.matrices.items():
        accuracies = matrix.accuracies()
        for row, after in enumerate(results.tasks):
            for column, task in enumerate(results.tasks[: row + 1]):
                yield [after, task, rule, _rounded(accuracies[row, column])]


def confusion_table(results):
    """Yields the entries of the last confusion matrix that are not 0; classes are ranks."""
    yield ["actual", "predicted", "images"]
    for cell in np.argwhere(results.confusion).tolist():
        yield [*cell, int(results.confusion[tuple(cell)])]


def _task_confusion_table(results):
    yield ["actual", "predicted", "images"]
    for (actual, predicted), images in np.ndenumerate(results.task_confusion()):
        yield [results.tasks[actual], results.tasks[predicted], images]


def class_rows(experiment) -> list[dict]:
    """Computes figures of each class under the last model, in the order of arrival.

    Returns:
        A dictionary per class: `number`, `name`, `task`, `images`, `correct`, `accuracy`, `size`
        (training images), `kept` (exemplars), `taken` (the class it is most often taken for, or
        `""`) and `taken_images`.
    """
    results, names = experiment.results, experiment.class_names
    images, hits = results.confusion.sum(axis=1), results.confusion.diagonal()
    wrong = results.confusion - np.diag(hits)
    taken, task_of = wrong.argmax(axis=1), results.task_of_class()
    kept = None if experiment.kept is None else experiment.kept.counts(len(names)).tolist()
    return [
        {
            "number": number,
            "name": name,
            "task": results.tasks[task_of[number]],
            "images": int(images[number]),
            "correct": int(hits[number]),
            "accuracy": accuracy,
            "size": results.class_sizes[number],
            "kept": kept and kept[number],
            "taken": names[taken[number]] if wrong[number].any() else "",
            "taken_images": int(wrong[number].max()),
        }
        for number, (name, accuracy) in enumerate(zip(names, results.class_accuracy(), strict=True))
    ]


def _class_table(experiment):
    yield ["class", "name", "task", "images", "correct", "accuracy", "exemplars", "trained_on"]
    for row in class_rows(experiment):
        facts = [row[key] for key in ("number", "name", "task", "images", "correct")]
        # None becomes an empty cell.
        yield [*facts, _rounded(row["accuracy"]), row["kept"], row["size"]]


def confused_pairs(experiment) -> list[dict]:
    """Computes the confusions between classes, the most frequent first.

    Returns:
        A dictionary per pair: `actual`, `actual_task`, `predicted`, `predicted_task`, `images`
        that were confused, and `total` images of the actual class.
    """
    results, names = experiment.results, experiment.class_names
    totals, task_of = results.confusion.sum(axis=1), results.task_of_class()
    wrong = results.confusion - np.diag(results.confusion.diagonal())
    actual, predicted = np.nonzero(wrong)
    order = np.lexsort((predicted, actual, -wrong[actual, predicted]))
    return [
        {
            "actual": names[one],
            "actual_task": results.tasks[task_of[one]],
            "predicted": names[other],
            "predicted_task": results.tasks[task_of[other]],
            "images": int(wrong[one, other]),
            "total": int(totals[one]),
        }
        for one, other in zip(actual[order], predicted[order], strict=True)
    ]


def _pair_table(experiment):
    yield ["actual", "actual_task", "predicted", "predicted_task", "images", "share"]
    for pair in confused_pairs(experiment):
        *facts, total = pair.values()
        yield [*facts, _rounded(pair["images"] / total)]


def _training_table(experiment):
    """Yields a row per value, as tasks and phases differ in their terms."""
    yield ["task", "phase", "epoch", "term", "value"]
    for task, rows in experiment.curves.items():
        for row in rows:
            for name, value in row.items():
                if name not in ("epoch", "phase", "images"):
                    yield [task, row["phase"], int(row["epoch"]), name, value]
