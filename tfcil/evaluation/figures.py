"""The figures of the measures: NAME, or NAME@KEY and NAME@KEY_GROUP of a measure with several."""

import dataclasses

from tfcil.errors import UserError, brief, nearest, shown
from tfcil.evaluation.registry import Measure, all_measures


def check_asked(asked: dict) -> dict:
    """Checks the section `measures` of params.yaml, and returns it.

    Raises:
        UserError: a measure is not known or is always computed, or its value is wrong.
    """
    for name, value in asked.items():
        known = [each for each, measure in all_measures().items() if measure.check]
        if name not in known:
            raise UserError(
                f"expected measures that must be asked for, {', '.join(known)}"
                f"{nearest(name, known)}. Received: measures.{shown(name)}={brief(value)}"
            )
        all_measures()[name].check(value)
    return asked


def compute_figures(evidence, asked: dict) -> dict[str, float]:
    """Computes the figures of a model that are defined, by their names.

    Args:
        evidence: the `Evidence` of the model.
        asked: the section `measures` of params.yaml.
    """
    figures = {}
    for name, measure in all_measures().items():
        if measure.check is None:
            figures[name] = measure.compute(evidence)
        elif name in asked:
            found = measure.compute(evidence, asked[name])
            figures |= {f"{name}@{part}": value for part, value in found.items()}
    return {name: value for name, value in figures.items() if value is not None}


def measure_of(figure: str) -> Measure:
    """Returns the measure that a figure is of, with the figure's own title."""
    name, at, part = figure.partition("@")
    measure = all_measures()[name]
    return dataclasses.replace(measure, title=f"{measure.title}{at}{part.replace('_', ' ')}")


def is_known(figure: str) -> bool:
    """Tells whether there is a measure that the figure is of."""
    return figure.partition("@")[0] in all_measures()


def by_group(figures) -> dict[str, dict[str, str]]:
    """Sorts the names of figures by what they are of.

    Returns:
        For each NAME or NAME@KEY a dictionary from GROUP to the whole name; the group of all
        classes is `""`.
    """
    found = {}
    for figure in figures:
        name, at, part = figure.partition("@")
        key, _, group = part.partition("_")
        found.setdefault(name + at + key, {})[group] = figure
    return found
