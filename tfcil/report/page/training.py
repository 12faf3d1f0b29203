"""How the tasks were trained: curves of loss and terms, time, memory, versions."""

import itertools

from tfcil.report.experiment import terms_of
from tfcil.report.page.chart import Axis, Series, line_chart, number_axis


def training_charts(experiment) -> list[dict]:
    """Computes a chart per task whose curve there is."""
    return [
        {
            "task": task,
            "classes": experiment.results.num_classes[experiment.results.tasks.index(task)],
            "loss": rows[-1]["loss"],
            "accuracy": rows[-1]["accuracy"],
            "stages": list(dict.fromkeys(row["stage"] for row in rows)),
            "chart": _chart(task, rows),
        }
        for task, rows in experiment.curves.items()
    ]


def _chart(task, rows) -> dict:
    names = terms_of(rows)
    # A single term is the loss itself, when its weight is 1.
    if len(names) == 1 and all(row.get(names[0]) == row["loss"] for row in rows):
        names = []
    drawn = [Series(name, [row.get(name) for row in rows]) for name in ("loss", *names)]
    told = [
        Series(
            f"training {name}" if name == "accuracy" else name,
            [row.get(name) for row in rows],
            drawn=False,
        )
        for name in ("accuracy", "alpha")
        if any(name in row for row in rows)
    ]
    epochs = [row["epoch"] for row in rows]
    starts = [
        (later["epoch"] - 0.5, later["stage"])
        for before, later in itertools.pairwise(rows)
        if before["stage"] != later["stage"]
    ]
    single = len(epochs) == 1
    x_axis = Axis("epoch", 0 if single else epochs[0], epochs[-1] + single)
    if len(epochs) <= 5:
        x_axis = Axis("epoch", x_axis.low, x_axis.high, labels=[(e, f"{e:g}") for e in epochs])
    return line_chart(
        f"Loss while task {task} was trained",
        epochs,
        [f"epoch {row['epoch']:g}, stage {row['stage']}" for row in rows],
        [*drawn, *told],
        x_axis,
        number_axis([value for one in drawn for value in one.values], "loss and its terms"),
        starts,
        width=320,
        height=210,
    )


def costs(experiment) -> dict:
    """Computes what training took: a row per task, and the sums.

    Returns:
        `rows` (dictionaries of a log), `seconds`, `images` and `peak` over all of them.
    """
    rows = list(experiment.logs.values())
    return {
        "rows": rows,
        "seconds": sum(row["seconds"] for row in rows),
        "images": sum(row["images"] for row in rows),
        "peak": max((row["peak_memory_bytes"] or 0 for row in rows), default=0),
        "missing": experiment.missing(experiment.logs),
    }


def environment(experiment) -> list[tuple[str, str]]:
    """Returns what the tasks were trained with: one line each, and both where they differ."""
    found: dict[str, list[str]] = {}
    for log in experiment.logs.values():
        facts = {
            **log["versions"],
            "backend": log["backend"],
            "devices": ", ".join(log["devices"]),
            "processor": log["processor"],
            "system": log["system"],
        }
        for name, value in facts.items():
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    return [(name, "; ".join(values)) for name, values in found.items()]
