"""The training of the tasks: curves of loss and terms, time, memory, versions."""

import itertools

from tfcil.report.experiment import terms_of
from tfcil.report.page.chart import Axis, Series, line_chart, number_axis, values_of


def training_charts(experiment) -> list[dict]:
    """Computes a chart for each task that has a curve."""
    return [
        {
            "task": task,
            "classes": experiment.results.num_classes[experiment.results.tasks.index(task)],
            "loss": rows[-1]["loss"],
            "accuracy": rows[-1]["accuracy"],
            "phases": list(dict.fromkeys(row["phase"] for row in rows)),
            "chart": _chart(task, rows),
        }
        for task, rows in experiment.curves.items()
        if rows  # a closed-form method trains nothing
    ]


def _chart(task, rows) -> dict:
    names = terms_of(rows)
    # A single term is the loss itself, when its weight is 1.
    if len(names) == 1 and all(row.get(names[0]) == row["loss"] for row in rows):
        names = []
    drawn = [Series(name, [row.get(name) for row in rows]) for name in ("loss", *names)]
    accuracy = Series("training accuracy", [row["accuracy"] for row in rows], drawn=False)
    epochs = [row["epoch"] for row in rows]
    starts = [
        (later["epoch"] - 0.5, later["phase"])
        for before, later in itertools.pairwise(rows)
        if before["phase"] != later["phase"]
    ]
    single = len(epochs) == 1
    labels = [(epoch, f"{epoch:g}") for epoch in epochs] if len(epochs) <= 5 else None
    return line_chart(
        f"Loss while task {task} was trained",
        epochs,
        [f"epoch {row['epoch']:g}, phase {row['phase']}" for row in rows],
        [*drawn, accuracy],
        Axis("epoch", 0 if single else epochs[0], epochs[-1] + single, labels=labels),
        number_axis(values_of(drawn), "loss and its terms"),
        starts,
        width=320,
        height=210,
    )


def costs(experiment) -> dict:
    """Computes time, images and peak memory of the training, with the logs as `rows`."""
    rows = list(experiment.logs.values())
    return {
        "rows": rows,
        "seconds": sum(row["seconds"] for row in rows),
        "images": sum(row["images"] for row in rows),
        "peak": max((row["peak_memory_bytes"] or 0 for row in rows), default=0),
        "missing": experiment.missing(experiment.logs),
    }


def environment(experiment) -> list[tuple[str, str]]:
    """Returns software versions and hardware as (name, value), every value where tasks differ."""
    found: dict[str, dict[str, None]] = {}
    for log in experiment.logs.values():
        facts = log | {"devices": ", ".join(log["devices"])}
        named = ("backend", "devices", "processor", "system")
        for name, value in (log["versions"] | {one: facts[one] for one in named}).items():
            found.setdefault(name, {})[value] = None
    return [(name, "; ".join(values)) for name, values in found.items()]
