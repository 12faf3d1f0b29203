"""Builds the page of one experiment."""

from tfcil.evaluation.registry import all_measures
from tfcil.report.page.classes import class_chart, class_rows, pictured_exemplars
from tfcil.report.page.confusion import confusion_figure, most_confused
from tfcil.report.page.measures import measure_cards, measure_curves
from tfcil.report.page.render import render
from tfcil.report.page.tasks import (
    accuracy_curve,
    accuracy_matrix,
    cards,
    old_and_new,
    rules_of,
    task_confusion,
)
from tfcil.report.page.training import costs, environment, training_charts
from tfcil.report.tables import task_rows


def experiment_page(experiment) -> str:
    """Returns report.html, a page that loads no other file.

    Args:
        experiment: the `Experiment`.

    Returns:
        The text of the page; equal experiments give equal pages.
    """
    results, params = experiment.results, experiment.params
    rows = class_rows(experiment)
    return render(
        "experiment.html.j2",
        title=title_of(params),
        facts=facts_of(experiment),
        split=results.split,
        num_images=results.num_images,
        num_tasks=len(results.tasks),
        num_classes=results.num_classes[-1],
        validation=params.get("validation"),
        cards=cards(results),
        measures={name: all_measures()[name] for name in results.measures},
        measure_cards=measure_cards(results),
        rules=rules_of(results),
        accuracy_curve=accuracy_curve(experiment),
        old_and_new=old_and_new(experiment),
        accuracy_matrix=accuracy_matrix(results),
        task_confusion=task_confusion(results),
        measure_curves=measure_curves(experiment),
        task_rows=task_rows(results),
        confusion=confusion_figure(experiment),
        pairs=most_confused(experiment),
        class_rows=rows,
        class_chart=class_chart(experiment, rows),
        exemplars=pictured_exemplars(experiment, rows),
        kept=_memory(experiment),
        training=training_charts(experiment),
        missing_curves=experiment.missing(experiment.curves),
        costs=costs(experiment),
        environment=environment(experiment),
        sections=sections_of(params),
        tasks=params["tasks"],
    )


def title_of(params) -> str:
    """Returns the data set, method and loss of an experiment as one line."""
    method = params.get("method", {})
    named = " + ".join(str(method[key]) for key in ("name", "loss") if method.get(key))
    return f"{params.get('dataset', {}).get('name', 'images')}: {named or 'one model'}"


def facts_of(experiment) -> list[str]:
    """Returns the parts of the line under the title."""
    params, results = experiment.params, experiment.results
    backbone = params.get("model", {}).get("backbone")
    classes, tasks = results.num_classes[-1], len(results.tasks)
    pieces = [
        f"{classes} class{'es' if classes > 1 else ''} in {tasks} task{'s' if tasks > 1 else ''}",
        f"memory of {params.get('memory')} exemplars" if params.get("memory") else "no memory",
        f"backbone {backbone}" if backbone else "",
        f"seed {params['seed']}" if "seed" in params else "",
    ]
    return [piece for piece in pieces if piece]


def sections_of(params) -> list[tuple[str, list[tuple[str, object]]]]:
    """Returns the parameters by section, those of the top level first; without the tasks."""
    top = [(key, value) for key, value in params.items() if not isinstance(value, dict)]
    sections = [
        (key, list(value.items()))
        for key, value in params.items()
        if isinstance(value, dict) and key != "tasks"
    ]
    return [("top level", top), *sections]


def _memory(experiment) -> dict | None:
    if experiment.kept is None:
        return None
    counts = experiment.kept.counts(len(experiment.class_names))
    images = experiment.kept.images
    return {
        "exemplars": len(images),
        "bytes": images.nbytes,
        "shape": " × ".join(map(str, images.shape[1:])),
        "least": int(counts.min()),
        "most": int(counts.max()),
    }
