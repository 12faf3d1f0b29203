"""The results as they are printed on a terminal."""

from rich.console import Console
from rich.table import Table

from tfcil.evaluation.figures import by_group, measure_of
from tfcil.evaluation.registry import heading
from tfcil.evaluation.shots import FIGURES
from tfcil.report.tables import task_rows


def print_summary(results, layout) -> None:
    """Prints a table with a row per task, the figures of the experiment, and its file paths."""
    console, last = Console(), results.tasks[-1]
    where = "" if results.split == "test" else f" ({results.split} images)"
    table = Table(title=f"Accuracy on all classes seen so far{where}")
    groups = by_group(results.measures)
    single = [name for name, figures in groups.items() if len(figures) == 1]
    titles = [measure_of(name).title for name in single]
    for column in ("task", "classes", *map(heading, results.matrices), "old", "new", *titles):
        table.add_column(column, justify="right")
    for row in task_rows(results):
        measured = (row["measures"][name] for name in single)
        figures = (*row["all"].values(), row["old"], row["new"], *measured)
        table.add_row(row["task"], str(row["classes"]), *map(_shown, figures))
    console.print(table)
    for rule, matrix in results.matrices.items():
        shown = [
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in matrix.summary().items()
            if value is not None
        ]
        console.print(f"{heading(rule)}: " + ", ".join(shown), highlight=False, soft_wrap=True)
    for name in groups:
        if name not in single:
            shown = [
                f"{group} {_shown(results.measures[figure][-1])}".lstrip()
                for group, figure in groups[name].items()
            ]
            title = measure_of(name).title
            console.print(f"{title}: {', '.join(shown)}", highlight=False, soft_wrap=True)
    if results.shots:
        most, least = max(results.class_sizes), min(results.class_sizes)
        shown = [
            f"{FIGURES[name]} {value:.3f}"
            for name, value in results.shots[-1].items()
            if value is not None
        ]
        console.print(
            f"{most} to {least} training images per class: {', '.join(shown)}",
            highlight=False,
            soft_wrap=True,
        )
    console.print(
        f"model: {layout.model(last)}  classes: {layout.class_names(last)}  "
        f"figures: {layout.metrics}, {layout.report / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )


def _shown(figure) -> str:
    return "-" if figure is None else f"{figure:.3f}"
