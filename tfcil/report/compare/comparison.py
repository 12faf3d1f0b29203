"""What differs between two experiments."""

import math
from dataclasses import dataclass

from tfcil.report.experiment import Experiment
from tfcil.report.page.tasks import RULES

FIGURES = {  # whether more is better
    "average_incremental_accuracy": ("average incremental accuracy", True),
    "last_accuracy": ("last accuracy", True),
    "old_accuracy": ("old classes", True),
    "new_accuracy": ("new classes", True),
    "forgetting": ("forgetting", False),
}


@dataclass(frozen=True)
class Change:
    """A figure of both experiments.

    Attributes:
        name: of the figure, the task or the class.
        first, second: fractions, `None` where undefined.
        more_is_better: whether a rise is good.
    """

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
    """Two experiments.

    Attributes:
        names: what they are called.
        experiments: both.
    """

    names: tuple[str, str]
    experiments: tuple[Experiment, Experiment]

    def headline(self) -> list[Change]:
        """Computes the figures of the whole experiments."""
        found = [experiment.results.metrics() for experiment in self.experiments]
        changes = [
            Change(text, *(one[name] for one in found), more)
            for name, (text, more) in FIGURES.items()
        ]
        if all("nme" in one for one in found):
            changes += [
                Change(f"NME: {text}", *(one["nme"][name] for one in found), more)
                for name, (text, more) in FIGURES.items()
            ]
        return changes

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
            list(zip(one.results.tasks, one.results.num_classes, strict=True))
            for one in self.experiments
        )
        pairs = list(zip(first, second, strict=False))
        return next((number for number, (a, b) in enumerate(pairs) if a != b), len(pairs))

    def tasks(self) -> list[dict[str, Change]]:
        """Computes accuracy on all, old and new classes after each task that both have."""
        rows = []
        for number in range(self.common_tasks()):
            matrices = [one.results.matrices["cnn"] for one in self.experiments]
            task = self.experiments[0].results.tasks[number]
            pairs = {
                "all": [matrix.curve()[number] for matrix in matrices],
                "old": [matrix.old_new(number)[0] for matrix in matrices],
                "new": [matrix.old_new(number)[1] for matrix in matrices],
            }
            rows.append(
                {name: Change(task, *map(_known, values)) for name, values in pairs.items()}
            )
        return rows

    def classes(self) -> list[Change]:
        """Computes the accuracy of each class that both know, the greatest loss first."""
        first, second = (
            dict(zip(one.class_names, map(_known, one.results.class_accuracy()), strict=True))
            for one in self.experiments
        )
        changes = [Change(name, first[name], second[name]) for name in first if name in second]
        return sorted(changes, key=lambda one: (one.difference is None, one.difference or 0))

    def curves(self) -> list[tuple[str, dict[int, float]]]:
        """Computes the accuracy on all seen classes: a name, and accuracy by number of classes."""
        return [
            (
                f"{name}: {RULES[rule]}",
                dict(zip(one.results.num_classes, matrix.curve().tolist(), strict=True)),
            )
            for rule in RULES
            if all(rule in one.results.matrices for one in self.experiments)
            for name, one in zip(self.names, self.experiments, strict=True)
            for matrix in [one.results.matrices[rule]]
        ]

    def warnings(self) -> list[str]:
        """Tells in plain words why figures may not be comparable."""
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


def _known(value) -> float | None:
    return None if math.isnan(value) else float(value)


def _flat(value, path="") -> dict:
    """Turns sections into dotted keys."""
    if not isinstance(value, dict):
        return {path: value}
    flat = {}
    for key, one in value.items():
        flat |= _flat(one, f"{path}.{key}" if path else str(key))
    return flat
