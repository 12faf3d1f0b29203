"""Builds the page of one experiment."""

from tfcil.evaluation.figures import measure_of
from tfcil.evaluation.shots import FIGURES
from tfcil.report.page.classes import class_chart, pictured_exemplars, sorted_classes
from tfcil.report.page.confusion import confusion_figure
from tfcil.report.page.render import render
from tfcil.report.page.tasks import (
    accuracy_curve,
    accuracy_matrix,
    cards,
    measure_cards,
    measure_curves,
    old_and_new,
    rules_of,
    shot_cards,
    task_confusion,
)
from tfcil.report.page.training import costs, environment, training_charts
from tfcil.report.tables import confused_pairs, task_rows


def experiment_page(experiment) -> str:
    """Returns report.html, a page that loads no other file; equal experiments give equal pages."""
    results, params = experiment.results, experiment.params
    rows = sorted_classes(experiment)
    return render(
        "experiment.html.j2",
        title=title_of(params),
        facts=facts_of(experiment),
        results=results,
        params=params,
        split=results.split,
        cards=cards(results),
        measures={name: measure_of(name) for name in results.measures},
        measure_cards=measure_cards(results),
        shot_cards=shot_cards(results),
        shot_titles=FIGURES if results.shots else {},
        rules=rules_of(results),
        accuracy_curve=accuracy_curve(experiment),
        old_and_new=old_and_new(experiment),
        accuracy_matrix=accuracy_matrix(results),
        task_confusion=task_confusion(results),
        measure_curves=measure_curves(experiment),
        task_rows=task_rows(results),
        confusion=confusion_figure(experiment),
        pairs=confused_pairs(experiment)[:25],
        class_rows=rows,
        class_chart=class_chart(experiment, rows),
        exemplars=pictured_exemplars(experiment, rows),
        kept=_memory(experiment),
        training=training_charts(experiment),
        untrained=any(not rows for rows in experiment.curves.values()),
        missing_curves=experiment.missing(experiment.curves),
        costs=costs(experiment),
        environment=environment(experiment),
        sections=sections_of(params),
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
    nested = [(key, list(one.items())) for key, one in params.items() if isinstance(one, dict)]
    return [("top level", top), *(section for section in nested if section[0] != "tasks")]


def _memory(experiment) -> dict | None:
    if experiment.kept is None:
        return None
    counts = experiment.kept.counts(len(experiment.class_names))
    how = "of encoded files" if experiment.kept.is_encoded else "uncompressed"
    images = experiment.kept.images
    return {"images": images, "how": how, "least": counts.min(), "most": counts.max()}
