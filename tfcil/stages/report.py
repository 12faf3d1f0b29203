"""Stage `report`: the figures of the whole experiment, read off the evaluations of its tasks."""

from tfcil.files import write_atomically, write_json
from tfcil.report.experiment import read_experiment
from tfcil.report.figures import draw_accuracy
from tfcil.report.page.build import experiment_page
from tfcil.report.tables import write_tables
from tfcil.stages.layout import Layout


def report(layout: Layout, params) -> None:
    """Writes metrics.json and report/: the page, and the tables and the picture behind it.

    Args:
        layout: where the files lie.
        params: the whole params.yaml.
    """
    experiment = read_experiment(layout, params.model_dump())
    with write_atomically(layout.report) as folder:
        folder.mkdir()
        write_tables(folder, experiment)
        draw_accuracy(folder / "accuracy.png", experiment.results)
        (folder / "report.html").write_text(experiment_page(experiment), encoding="utf-8")
    write_json(layout.metrics, experiment.results.metrics())
