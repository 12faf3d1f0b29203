"""Stage `report`: computes the figures of the experiment from the evaluations of its tasks."""

import sys
from importlib.util import find_spec

from tfcil.files import write_atomically, write_json
from tfcil.report.experiment import read_experiment
from tfcil.report.figures import draw_accuracy
from tfcil.report.page.build import experiment_page
from tfcil.report.tables import write_tables
from tfcil.stages.layout import Layout


def report(layout: Layout, params) -> None:
    """Writes metrics.json and report/: the page, its tables and a picture.

    Without the packages of the extra `report` it writes no page and no picture.
    """
    experiment = read_experiment(layout, params.model_dump())
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    with write_atomically(layout.report) as folder:
        folder.mkdir()
        write_tables(folder, experiment)
        if not missing:
            draw_accuracy(folder / "accuracy.png", experiment.results)
            (folder / "report.html").write_text(experiment_page(experiment), encoding="utf-8")
    write_json(layout.metrics, experiment.results.metrics())
    if missing:
        print(
            f"report: tables without the page, which needs {' and '.join(missing)}: "
            "pip install 'tfcil[report]'",
            file=sys.stderr,
        )
