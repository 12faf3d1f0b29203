"""Figures of the tasks: accuracy as classes arrive, old and new, by task, between tasks."""

from tfcil.evaluation.registry import all_rules, heading, primary
from tfcil.report.page.chart import (
    Axis,
    Series,
    accuracy_axis,
    bar_chart,
    line_chart,
    round_numbers,
    task_ticks,
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


def rules_of(results) -> dict[str, list[tuple[str, str]]]:
    """Returns the heading and the title of each rule.

    Returns:
        Dictionary with two lists: `shown`, the rules that predicted after every task, the primary
        one first, and `absent`, the others.
    """
    named = {name: (heading(name), rule.title) for name, rule in all_rules().items()}
    return {
        "shown": [named[name] for name in results.matrices],
        "absent": [named[name] for name in named if name not in results.matrices],
    }


def accuracy_curve(experiment) -> dict:
    """Computes accuracy on all seen classes after each task."""
    results = experiment.results
    series = [
        Series(all_rules()[rule].title, matrix.curve().tolist())
        for rule, matrix in results.matrices.items()
    ]
    return line_chart(
        "Accuracy on all seen classes after each task",
        results.num_classes,
        [experiment.task_title(number) for number in range(len(results.tasks))],
        series,
        classes_axis(results.num_classes),
        accuracy_axis([value for one in series for value in one.values]),
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
    results = experiment.results
    rows = task_rows(results)
    series = [Series(f"{name} classes", [row[name] for row in rows]) for name in ("old", "new")]
    return bar_chart(
        "Accuracy on old and new classes after each task",
        [experiment.task_title(number) for number in range(len(rows))],
        series,
        accuracy_axis([], from_zero=True),
        task_ticks(results.tasks),
        "after task",
    )


def accuracy_matrix(results) -> dict:
    """Computes the accuracy on the images of each task after each task.

    The squares show the primary rule, their tooltips every rule.
    """
    matrices = {all_rules()[rule].title: one.accuracies() for rule, one in results.matrices.items()}
    shown, totals = results.primary.accuracies(), results.primary
    many = len(results.tasks)
    low = lowest_tenth([shown[row, column] for row in range(many) for column in range(row + 1)])
    cells = []
    for row, after in enumerate(results.tasks):
        for column, task in enumerate(results.tasks[: row + 1]):
            figures = ", ".join(
                f"{name} {100 * one[row, column]:.2f} %" for name, one in matrices.items()
            )
            right, images = totals.correct[row, column], totals.totals[row, column]
            counts = f"({right:.0f} of {images:.0f})"
            tip = f"after task {after}, images of task {task}: {figures} {counts}"
            value = shown[row, column]
            cells.append((row, column, float(value), f"{100 * value:.0f}", tip))
    titles = ("after task", "images of task")
    label = "Accuracy by task after each task"
    return heat_map(label, results.tasks, results.tasks, cells, titles, low)


def task_confusion(results) -> dict:
    """Computes the share of each task's images that is taken for classes of each task."""
    counts = results.task_confusion()
    totals = counts.sum(axis=1, keepdims=True)
    cells = []
    for row, actual in enumerate(results.tasks):
        for column, predicted in enumerate(results.tasks):
            images, total = int(counts[row, column]), int(totals[row, 0])
            share = images / max(total, 1)
            tip = (
                f"images of task {actual} taken for a class of task {predicted}: "
                f"{images} of {total} ({100 * share:.2f} %)"
            )
            text = f"{100 * share:.0f}" if images else ""
            # The root makes few errors visible among many hits.
            cells.append((row, column, share**0.5, text, tip))
    titles = ("images of task", "taken for a class of task")
    label = "Which task's classes images are taken for"
    made = heat_map(
        label, results.tasks, results.tasks, cells, titles, styles=lambda row, column: row != column
    )
    return made | {"scale": None}
