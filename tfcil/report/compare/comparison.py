"""Differences between two experiments."""

import itertools
import operator
from dataclasses import dataclass

from tfcil.evaluation.figures import measure_of
from tfcil.evaluation.registry import all_rules, heading, primary
from tfcil.evaluation.shots import FIGURES as SHOTS
from tfcil.report.experiment import Experiment
from tfcil.report.tables import task_rows

FIGURES = {  # the name in tables, and whether more is better
    "average_incremental_accuracy": ("average incremental accuracy", True),
    "last_accuracy": ("last accuracy", True),
    "old_accuracy": ("old classes", True),
    "new_accuracy": ("new classes", True),
    "forgetting": ("forgetting", False),
}


@dataclass(frozen=True)
class Change:
    """A figure, or the accuracy on a task or a class, in both experiments; `None`: undefined."""

    name: str
    first: float | None
    second: float | None
    more_is_better: bool = True

    @property
    def difference(self) -> float | None:
        """second - first."""
        if self.first is None or self.second is None:
            return None
        return self.second - self.first

    @property
    def verdict(self) -> str:
        """`good`, `bad` or nothing."""
        if self.difference is None or abs(self.difference) < 1e-12:
            return ""
        return "good" if (self.difference > 0) == self.more_is_better else "bad"


@dataclass(frozen=True)
class Comparison:
    """Two experiments with their names on the page, in the same order."""

    names: tuple[str, str]
    experiments: tuple[Experiment, Experiment]

    def headline(self) -> list[Change]:
        """Computes the figures of the whole experiments by each rule, measures, class sizes."""
        first, second = (one.results.metrics() for one in self.experiments)
        changes = _changes(first, second, "")
        for rule in self._common_rules():
            if rule != primary():
                changes += _changes(first[rule], second[rule], f"{heading(rule)}: ")
        for name in first["measures"] | second["measures"]:
            values = [one["measures"].get(name) for one in (first, second)]
            if values != [None, None]:
                measure = measure_of(name)
                changes.append(Change(measure.title, *values, not measure.less_is_better))
        for name, title in SHOTS.items():
            values = [one.get("shots", {}).get(name) for one in (first, second)]
            if values != [None, None]:
                changes.append(Change(title, *values))
        return changes

    def _common_rules(self) -> list[str]:
        first, second = (one.results.matrices for one in self.experiments)
        return [rule for rule in first if rule in second]

    def parameters(self) -> list[tuple[str, object, object]]:
        """Returns the parameters that differ: key, value in the first, value in the second."""
        first, second = (_flat(experiment.params) for experiment in self.experiments)
        return [
            (key, first.get(key, "(not set)"), second.get(key, "(not set)"))
            for key in {**first, **second}
            if key not in first or key not in second or first[key] != second[key]
        ]

    def common_tasks(self) -> int:
        """Counts the first tasks that both have: with the same key, and as many classes."""
        first, second = (
            zip(one.results.tasks, one.results.num_classes, strict=True) for one in self.experiments
        )
        return sum(itertools.takewhile(bool, map(operator.eq, first, second)))

    def tasks(self) -> list[dict[str, Change]]:
        """Computes the primary rule's accuracy on all, old and new classes by common task."""
        first, second = (task_rows(one.results) for one in self.experiments)
        return [
            {
                "all": Change(one["task"], one["all"][primary()], other["all"][primary()]),
                "old": Change(one["task"], one["old"], other["old"]),
                "new": Change(one["task"], one["new"], other["new"]),
            }
            for one, other in list(zip(first, second, strict=False))[: self.common_tasks()]
        ]

    def classes(self) -> list[Change]:
        """Computes the accuracy of each class in both experiments, the greatest loss first."""
        first, second = (
            dict(zip(one.class_names, one.results.class_accuracy(), strict=True))
            for one in self.experiments
        )
        changes = [Change(name, first[name], second[name]) for name in first if name in second]
        return sorted(changes, key=lambda one: (one.difference is None, one.difference or 0))

    def curves(self) -> list[tuple[str, dict[int, float]]]:
        """Computes the accuracy on all seen classes: a name, and accuracy by number of classes."""
        return [
            (
                f"{name}: {all_rules()[rule].title}",
                dict(zip(one.results.num_classes, matrix.curve().tolist(), strict=True)),
            )
            for rule in self._common_rules()
            for name, one in zip(self.names, self.experiments, strict=True)
            for matrix in [one.results.matrices[rule]]
        ]

    def warnings(self) -> list[str]:
        """Returns the reasons why figures may not be comparable, a sentence each."""
        first, second = (one.results for one in self.experiments)
        said = []
        if first.split != second.split:
            said.append(
                f"{self.names[0]} was measured on {first.split} images and {self.names[1]} on "
                f"{second.split} images: the figures cannot be compared."
            )
        elif first.num_images != second.num_images:
            said.append(
                f"{self.names[0]} was measured on {first.num_images} images and {self.names[1]} "
                f"on {second.num_images}: the figures are of different images."
            )
        many = self.common_tasks()
        if many < max(len(first.tasks), len(second.tasks)):
            said.append(
                f"{self.names[0]} has {len(first.tasks)} tasks and {self.names[1]} "
                f"{len(second.tasks)}; the first {many} are the same."
                if many
                else "They have no task in common: only the whole experiments are compared."
            )
        return said


def _changes(first, second, prefix) -> list[Change]:
    return [
        Change(prefix + title, first[name], second[name], more)
        for name, (title, more) in FIGURES.items()
    ]


def _flat(value, path="") -> dict:
    """Returns the values of nested sections by dotted key."""
    if not isinstance(value, dict):
        return {path: value}
    nested = (_flat(one, f"{path}.{key}" if path else str(key)) for key, one in value.items())
    return {key: one for flat in nested for key, one in flat.items()}
