"""The results as they are printed on a terminal."""

from rich.console import Console
from rich.table import Table

from tfcil.report.tables import accuracy_rows


def print_summary(results, layout) -> None:
    """Prints accuracy after each task, the figures of the experiment, and where its files are.

    Args:
        results: the experiment's `Results`.
        layout: where the files lie.
    """
    console, last = Console(), results.tasks[-1]
    where = "" if results.split == "test" else f" ({results.split} images)"
    table = Table(title=f"Accuracy on all classes seen so far{where}")
    for column in ("task", "classes", *(rule.upper() for rule in results.matrices), "old", "new"):
        table.add_column(column, justify="right")
    for row in accuracy_rows(results):
        figures = [row[name] for name in (*results.matrices, "old", "new")]
        shown = ["-" if figure == "" else f"{figure:.3f}" for figure in figures]
        table.add_row(row["task"], str(row["classes"]), *shown)
    console.print(table)
    for rule, matrix in results.matrices.items():
        shown = [
            f"{name.replace('_', ' ')} {value:.3f}"
            for name, value in matrix.summary().items()
            if value is not None
        ]
        console.print(f"{rule.upper()}: " + ", ".join(shown), highlight=False, soft_wrap=True)
    console.print(
        f"model: {layout.model(last)}  classes: {layout.class_names(last)}  "
        f"figures: {layout.metrics}, {layout.report / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )
