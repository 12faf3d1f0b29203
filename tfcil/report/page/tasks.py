"""Figures and charts of the tasks: headline, curves over the tasks, by task, between tasks."""

import numpy as np

from tfcil.evaluation.figures import by_group, measure_of
from tfcil.evaluation.registry import all_rules, heading, primary
from tfcil.evaluation.shots import FIGURES, group_sizes
from tfcil.report.page.chart import (
    Axis,
    Series,
    accuracy_axis,
    bar_chart,
    even_ticks,
    fraction_axis,
    line_chart,
    round_numbers,
    values_of,
)
from tfcil.report.page.heat import heat_map, lowest_tenth
from tfcil.report.tables import task_rows


def cards(results) -> list[dict]:
    """Computes the headline figures of the primary rule, each with those of the other rules.

    Returns:
        Dictionaries with `name`, `title`, `value`, `kind` (`"share"` or `"points"`), `about`, and
        `others`: (heading, name, value) of each other rule.
    """
    figures = results.metrics()
    others = [rule for rule in results.matrices if rule != primary()]
    shown = (
        ("average_incremental_accuracy", "AIA", "share", "average incremental accuracy"),
        ("last_accuracy", "Last accuracy", "share", "all classes, last model"),
        ("old_accuracy", "Old classes", "share", "earlier tasks, last model"),
        ("new_accuracy", "New classes", "share", "last task, last model"),
        ("forgetting", "Forgetting", "points", "mean fall from the best"),
    )
    return [
        {
            "name": name,
            "title": title,
            "value": figures[name],
            "kind": kind,
            "about": about,
            "others": [(heading(rule), f"{rule}.{name}", figures[rule][name]) for rule in others],
        }
        for name, title, kind, about in shown
    ]


def measure_cards(results) -> list[dict]:
    """Computes the measures of the last model, in the form of `cards`."""
    return [
        {
            "name": f"measures.{name}",
            "title": _capitalized(measure_of(name).title),
            "value": results.measures[name][-1],
            "kind": measure_of(name).kind,
            "about": "last model",
            "others": [
                (group, f"measures.{figure}", results.measures[figure][-1])
                for group, figure in groups.items()
                if group
            ],
        }
        for name, groups in by_group(results.measures).items()
    ]


def shot_cards(results) -> list[dict]:
    """Computes the last model's accuracies by class size, in the form of `cards`."""
    if not results.shots:
        return []
    about = group_sizes(results.class_sizes) | {"worst_class": "last model"}
    return [
        {
            "name": f"shots.{name}",
            "title": _capitalized(FIGURES[name]),
            "value": value,
            "kind": "share",
            "about": about[name],
            "others": [],
        }
        for name, value in results.shots[-1].items()
        if value is not None
    ]


def _capitalized(title) -> str:
    return title[:1].upper() + title[1:]


def rules_of(results) -> dict[str, list[tuple[str, str]]]:
    """Returns heading and title of the rules that predicted after every task, and of the others."""
    named = {name: (heading(name), rule.title) for name, rule in all_rules().items()}
    return {
        "shown": [named[name] for name in results.matrices],
        "absent": [named[name] for name in named if name not in results.matrices],
    }


def accuracy_curve(experiment) -> dict:
    """Computes accuracy on all seen classes after each task."""
    series = [
        Series(all_rules()[rule].title, matrix.curve().tolist())
        for rule, matrix in experiment.results.matrices.items()
    ]
    axis = accuracy_axis(values_of(series))
    return _over_tasks(experiment, "Accuracy on all seen classes", series, axis)


def measure_curves(experiment) -> list[dict]:
    """Computes a chart of each measure after each task: its `title` and the `chart`."""
    curves, found = [], experiment.results.measures
    for name, groups in by_group(found).items():
        measure = measure_of(name)
        title, unit = _capitalized(measure.title), "%" if measure.kind == "share" else "points"
        series = [Series(measure_of(one).title, found[one]) for one in groups.values()]
        axis = fraction_axis(values_of(series), f"in {unit}")
        curves.append({"title": title, "chart": _over_tasks(experiment, title, series, axis)})
    return curves


def _over_tasks(experiment, title, series, axis) -> dict:
    return line_chart(
        f"{title} after each task",
        experiment.results.num_classes,
        experiment.task_titles(),
        series,
        classes_axis(experiment.results.num_classes),
        axis,
    )


def classes_axis(num_classes) -> Axis:
    """Makes the axis of the number of classes seen."""
    low, high = min(num_classes), max(num_classes)
    if low == high:
        return Axis("classes seen", low - 1, high + 1, labels=[(low, str(low))])
    labels = [(value, f"{value:g}") for value in round_numbers(low, high) if value == int(value)]
    return Axis("classes seen", low, high, labels=labels)


def old_and_new(experiment) -> dict:
    """Computes the primary rule's accuracy on old and on new classes after each task."""
    rows = task_rows(experiment.results)
    series = [Series(f"{name} classes", [row[name] for row in rows]) for name in ("old", "new")]
    return bar_chart(
        "Accuracy on old and new classes after each task",
        experiment.task_titles(),
        series,
        Axis("accuracy in %", 0.0, 1.0, percent=True),
        even_ticks(experiment.results.tasks),
        "after task",
    )


def accuracy_matrix(results) -> dict:
    """Computes the accuracy on the images of each task after each task.

    The squares show the primary rule, their tooltips every rule.
    """
    matrices = {all_rules()[rule].title: one.accuracies() for rule, one in results.matrices.items()}
    tasks, counts = results.tasks, results.primary
    cells = []
    for row, column in zip(*np.tril_indices(len(tasks)), strict=True):
        each = (f"{name} {100 * one[row, column]:.2f} %" for name, one in matrices.items())
        right, images = counts.correct[row, column], counts.totals[row, column]
        tip = (
            f"after task {tasks[row]}, images of task {tasks[column]}: {', '.join(each)} "
            f"({right:.0f} of {images:.0f})"
        )
        value = right / images
        cells.append((row, column, value, f"{100 * value:.0f}", tip))
    return heat_map(
        "Accuracy by task after each task",
        tasks,
        tasks,
        cells,
        titles=("after task", "images of task"),
        low=lowest_tenth([value for _, _, value, *_ in cells]),
    )


def task_confusion(results) -> dict:
    """Computes the share of each task's images that is taken for classes of each task."""
    counts, tasks = results.task_confusion(), results.tasks
    cells = []
    for (row, column), images in np.ndenumerate(counts):
        total = counts[row].sum()
        share = images / max(total, 1)
        tip = (
            f"images of task {tasks[row]} taken for a class of task {tasks[column]}: "
            f"{images} of {total} ({100 * share:.2f} %)"
        )
        text = f"{100 * share:.0f}" if images else ""
        # The root makes few errors visible among many hits.
        cells.append((row, column, float(share**0.5), text, tip))
    return heat_map(
        "Which task's classes images are taken for",
        tasks,
        tasks,
        cells,
        titles=("images of task", "taken for a class of task"),
        errors=True,
    )
