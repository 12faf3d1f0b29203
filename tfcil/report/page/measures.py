"""The measures: those of the last model as cards, and their course over the tasks."""

from tfcil.evaluation.registry import all_measures
from tfcil.report.page.chart import Series, fraction_axis, line_chart
from tfcil.report.page.tasks import classes_axis


def measure_cards(results) -> list[dict]:
    """Computes the measures of the last model, in the form of `cards`."""
    return [
        {
            "name": f"measures.{name}",
            "title": _capitalized(all_measures()[name].title),
            "value": values[-1],
            "kind": all_measures()[name].kind,
            "about": "last model",
            "others": [],
        }
        for name, values in results.measures.items()
    ]


def measure_curves(experiment) -> list[dict]:
    """Computes a chart of each measure after each task: its `title` and the `chart`."""
    results = experiment.results
    curves = []
    for name, values in results.measures.items():
        measure = all_measures()[name]
        title = _capitalized(measure.title)
        unit = "%" if measure.kind == "share" else "points"
        chart = line_chart(
            f"{title} after each task",
            results.num_classes,
            [experiment.task_title(number) for number in range(len(results.tasks))],
            [Series(measure.title, values)],
            classes_axis(results.num_classes),
            fraction_axis(values, f"in {unit}"),
        )
        curves.append({"title": title, "chart": chart})
    return curves


def _capitalized(title) -> str:
    return title[:1].upper() + title[1:]
