"""Stage `report`: the figures of the whole experiment, read off the evaluations of its tasks."""

from tfcil.files import read_json, write_atomically, write_json
from tfcil.report.figures import draw_accuracy
from tfcil.report.results import Results
from tfcil.report.tables import write_accuracy_table, write_confusion_table
from tfcil.stages.layout import Layout


def report(layout: Layout, params) -> None:
    """Writes metrics.json and report/.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; only the keys of `tasks` are read. The folder evaluation/
            may hold more than these tasks, so it is never globbed.
    """
    results = read_results(layout, params)
    with write_atomically(layout.report) as folder:
        folder.mkdir()
        write_accuracy_table(folder / "accuracy.csv", results)
        write_confusion_table(folder / "confusion.csv", results)
        draw_accuracy(folder / "accuracy.png", results)
    write_json(layout.metrics, results.metrics())


def read_results(layout: Layout, params) -> Results:
    """Reads the evaluations of the tasks of params.yaml."""
    return Results([read_json(layout.evaluation(key)) for key in params.tasks])
