"""A comparison as a page, and as a table on the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfcil.report.page.build import facts_of, title_of
from tfcil.report.page.chart import (
    Series,
    accuracy_axis,
    bar_chart,
    even_ticks,
    fraction_axis,
    line_chart,
    values_of,
)
from tfcil.report.page.render import points, render, setting, share
from tfcil.report.page.tasks import classes_axis
from tfcil.report.page.training import costs

DIFFERENCE = "difference in points"


def comparison_page(comparison) -> str:
    """Returns compare.html, a page that loads no other file."""
    tasks = comparison.tasks()
    classes = comparison.classes()
    experiments = zip(comparison.names, comparison.experiments, strict=True)
    return render(
        "compare.html.j2",
        title=" and ".join(comparison.names),
        names=comparison.names,
        facts=[(name, title_of(one.params), facts_of(one)) for name, one in experiments],
        splits=[one.results.split for one in comparison.experiments],
        warnings=comparison.warnings(),
        headline=comparison.headline(),
        parameters=comparison.parameters(),
        curve=_curve(comparison),
        tasks=tasks,
        task_chart=_task_chart(tasks) if len(tasks) > 1 else None,
        classes=classes,
        class_chart=_class_chart(classes) if classes else None,
        times=_times(comparison),
    )


def print_comparison(comparison, path) -> None:
    """Prints the figures, the parameters that differ, and the path of the page."""
    console = Console()
    table = Table()
    table.add_column("")
    for name in (*comparison.names, "difference"):
        table.add_column(Text(name), justify="right", overflow="fold")
    for change in comparison.headline():
        figures = share(change.first), share(change.second)
        table.add_row(change.name, *figures, points(change.difference, sign=True))
    console.print(table)
    for key, first, second in comparison.parameters():
        _say(console, f"{key}: {setting(first)} -> {setting(second)}")
    for warning in comparison.warnings():
        _say(console, f"note: {warning}")
    _say(console, f"page: {path}")


def _say(console, text) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _curve(comparison) -> dict:
    curves = comparison.curves()
    positions = sorted({number for _, curve in curves for number in curve})
    series = [Series(name, [curve.get(number) for number in positions]) for name, curve in curves]
    return line_chart(
        "Accuracy on all seen classes of both experiments",
        positions,
        [f"{number} classes seen" for number in positions],
        series,
        classes_axis(positions),
        accuracy_axis(values_of(series)),
    )


def _task_chart(tasks) -> dict:
    series = [
        Series(f"{name} classes", [row[name].difference for row in tasks])
        for name in ("old", "new")
    ]
    keys = [row["all"].name for row in tasks]
    return bar_chart(
        "Difference on old and new classes after each task",
        [f"task {key}" for key in keys],
        series,
        fraction_axis(values_of(series), DIFFERENCE),
        even_ticks(keys),
        "after task",
    )


def _class_chart(classes) -> dict:
    values = [change.difference for change in classes]
    series = [
        Series("better", [value if value is not None and value >= 0 else None for value in values]),
        Series("worse", [value if value is not None and value < 0 else None for value in values]),
    ]
    return bar_chart(
        "Difference of each class, sorted",
        [change.name for change in classes],
        series,
        fraction_axis(values, DIFFERENCE),
        even_ticks([str(number) for number in range(1, len(values) + 1)], most=6),
        "classes, sorted by difference",
        stacked=True,
    )


def _times(comparison) -> list[tuple[float, int] | None]:
    """Returns seconds and images of each training; `None` where a task has no log."""
    sums = (costs(one) for one in comparison.experiments)
    return [None if one["missing"] else (one["seconds"], one["images"]) for one in sums]
