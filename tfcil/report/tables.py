"""The results as CSV files, and as the summary that is printed."""

import csv

import numpy as np
from rich.console import Console
from rich.table import Table


def write_accuracy_table(path, results) -> None:
    """Writes a row per task: classes seen, and accuracy on all, old and new ones.

    Args:
        path: the CSV file.
        results: the experiment's `Results`.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _accuracy_rows(results)[0])
        writer.writeheader()
        writer.writerows(_accuracy_rows(results))


def _accuracy_rows(results) -> list[dict]:
    curves = {rule: matrix.curve() for rule, matrix in results.matrices.items()}
    rows = []
    for position, task in enumerate(results.tasks):
        old, new = results.matrices["cnn"].old_new(position)
        row = {"task": task, "classes": results.num_classes[position]}
        row |= {rule: round(float(curve[position]), 4) for rule, curve in curves.items()}
        row |= {"old": "" if np.isnan(old) else round(float(old), 4), "new": round(float(new), 4)}
        rows.append(row)
    return rows


def write_confusion_table(path, results) -> None:
    """Writes a row per kind of confusion after the last task, for `dvc plots`.

    Args:
        path: the CSV file; columns `actual`, `predicted` (ranks of the classes) and `images`.
        results: the experiment's `Results`.
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["actual", "predicted", "images"])
        for actual, predicted in np.argwhere(results.confusion):
            writer.writerow([actual, predicted, results.confusion[actual, predicted]])


def print_summary(results, layout) -> None:
    """Prints accuracy after each task, the figures of the experiment, and where its files are.

    Args:
        results: the experiment's `Results`.
        layout: where the files lie.
    """
    console, last = Console(), results.tasks[-1]
    table = Table(title="Accuracy on all classes seen so far")
    for column in ("task", "classes", *(rule.upper() for rule in results.matrices), "old", "new"):
        table.add_column(column, justify="right")
    for row in _accuracy_rows(results):
        figures = [row[name] for name in (*results.matrices, "old", "new")]
        shown = ["-" if figure == "" else f"{figure:.3f}" for figure in figures]
        table.add_row(row["task"], str(row["classes"]), *shown)
    console.print(table)
    for rule, matrix in results.matrices.items():
        figures = matrix.summary()
        shown = [
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in figures.items()
            if value is not None
        ]
        console.print(f"{rule.upper()}: " + ", ".join(shown), highlight=False, soft_wrap=True)
    console.print(
        f"model: {layout.model(last)}  classes: {layout.class_names(last)}  "
        f"figures: {layout.metrics}, {layout.report}/",
        highlight=False,
        soft_wrap=True,
    )
