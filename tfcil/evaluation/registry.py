"""Finds the rules and measures; the name of each is that of its file in rules/ or measures/."""

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfcil.evaluation.evidence import Evidence


@dataclass(frozen=True)
class Rule:
    """A way to predict the classes of the test images.

    Attributes:
        title: its name in legends.
        predict: function from the `Evidence` to the predicted classes, an int array `(n,)`, or to
            `None` if the rule cannot predict from this model.
        primary: whether figures without the name of a rule are this rule's. Exactly one rule is
            primary, and it predicts from every model.
    """

    title: str
    predict: Callable[[Evidence], np.ndarray | None]
    primary: bool = False


@dataclass(frozen=True)
class Measure:
    """A figure or several figures of a model, other than the accuracy of a rule.

    Attributes:
        title: its name in tables and legends.
        compute: function from the `Evidence` to a float, or to `None` if it is undefined. With
            `check`, it takes the value of `measures.NAME` in params.yaml as well, and returns a
            dictionary of such figures: the figure `KEY` or `KEY_GROUP` is named NAME@KEY or
            NAME@KEY_GROUP. Figures of one key are shown together; `KEY` is that of all classes.
        kind: `"share"`, a fraction that is shown in percent, or `"points"`, a difference of
            fractions that is shown in percentage points.
        less_is_better: whether a fall is good.
        check: function that refuses a wrong value of `measures.NAME` in params.yaml by a
            `UserError`: only with such a value the measure is computed. `None`: it always is.
    """

    title: str
    compute: Callable[..., float | dict[str, float | None] | None]
    kind: Literal["share", "points"] = "share"
    less_is_better: bool = False
    check: Callable[[Any], None] | None = None


@functools.cache
def all_rules() -> dict[str, Rule]:
    """Returns all rules by name, the primary one first, the others in alphabetical order."""
    found = _found("rules", "RULE")
    return dict(sorted(found.items(), key=lambda one: not one[1].primary))


@functools.cache
def all_measures() -> dict[str, Measure]:
    """Returns all measures by name, in alphabetical order."""
    return _found("measures", "MEASURE")


def primary() -> str:
    """Returns the name of the primary rule."""
    (name,) = (name for name, rule in all_rules().items() if rule.primary)
    return name


def heading(rule: str) -> str:
    """Returns a rule's name as the heading of its figures."""
    return rule.replace("_", " ").upper()


def _found(folder, attribute) -> dict:
    package = importlib.import_module(f"tfcil.evaluation.{folder}")
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return {
        name: getattr(importlib.import_module(f"{package.__name__}.{name}"), attribute)
        for name in names
    }
