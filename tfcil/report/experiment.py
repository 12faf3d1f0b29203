"""Reads an experiment's files for its page; only the evaluations must exist."""

import csv
from dataclasses import dataclass

from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json
from tfcil.report.results import Results

# The other columns of a training curve are terms of the loss and learned coefficients.
_FIXED = ("epoch", "phase", "images", "loss", "accuracy")


@dataclass(frozen=True)
class Experiment:
    """The contents of an experiment's files.

    Attributes:
        results: its `Results`.
        params: the sections of its params.yaml, as dictionaries.
        class_names: names of all classes, in the order of arrival.
        curves: a list of rows per task, without tasks whose curve is missing.
        logs: contents of logs/KEY.json per task, without tasks whose log is missing.
        kept: the exemplars after the last task, or `None` where the file is missing.
    """

    results: Results
    params: dict
    class_names: list[str]
    curves: dict[str, list[dict]]
    logs: dict[str, dict]
    kept: ExemplarMemory | None

    def missing(self, found) -> list[str]:
        """Returns the tasks that have no entry in `curves` or `logs`."""
        return [task for task in self.results.tasks if task not in found]

    def task_titles(self) -> list[str]:
        """Returns the names of the tasks in tooltips."""
        pairs = zip(self.results.tasks, self.results.num_classes, strict=True)
        return [f"task {task}, {many} class{'es' if many > 1 else ''}" for task, many in pairs]


def read_results(layout, tasks) -> Results:
    """Reads the evaluations of the tasks with these keys, in the order of arrival."""
    # Never by listing the folder: it may hold files of other tasks.
    return Results([read_json(layout.evaluation(key)) for key in tasks])


def read_experiment(layout, params: dict) -> Experiment:
    """Reads an experiment from its layout and the sections of its params.yaml.

    Raises:
        UserError: an evaluation is missing, or another file is damaged.
    """
    tasks = list(params["tasks"])
    results = read_results(layout, tasks)
    curves = {key: _read_curve(layout.curve(key)) for key in tasks if layout.curve(key).exists()}
    logs = {key: read_json(layout.log(key)) for key in tasks if layout.log(key).exists()}
    memory = layout.memory(tasks[-1])
    names = _class_names(layout.class_names(tasks[-1]), len(results.confusion))
    kept = ExemplarMemory.load(memory) if memory.exists() else None
    return Experiment(results, params, names, curves, logs, kept)


def terms_of(rows) -> list[str]:
    """Returns the names of the loss terms and learned coefficients in a training curve."""
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name not in _FIXED]


def _class_names(path, count) -> list[str]:
    if not path.exists():
        return [f"class {number}" for number in range(count)]
    names = read_json(path)["classes"]
    if len(names) != count:
        raise UserError(
            f"Expected the names of the {count} classes that were evaluated. "
            f"Received: {len(names)} names in {path}"
        )
    return [str(name) for name in names]


def _read_curve(path) -> list[dict]:
    """Reads a training curve; a term that a phase does not have is left out of its rows.

    It has no row where nothing was trained.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            rows = [
                {
                    name: value if name == "phase" else float(value)
                    for name, value in row.items()
                    if value
                }
                for row in table
            ]
        columns = table.fieldnames or ()
        complete = all(set(_FIXED) <= set(names) for names in (columns, *rows))
    except (ValueError, TypeError, csv.Error):
        complete = False
    if not complete:
        raise UserError(f"Expected a training curve as the stage train writes. Received: {path}")
    return rows
