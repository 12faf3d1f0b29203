"""The evaluations of all tasks, as accuracy matrices."""

from itertools import zip_longest

import numpy as np

from tfcil.errors import UserError
from tfcil.evaluation.figures import is_known
from tfcil.evaluation.matrix import AccuracyMatrix
from tfcil.evaluation.registry import all_rules, primary
from tfcil.evaluation.shots import is_unbalanced, shot_accuracies


class Results:
    """The figures of an experiment after each task.

    Args:
        evaluations: the contents of evaluation/KEY.json, in the order of the tasks.

    Attributes:
        tasks: keys of the tasks.
        matrices: an `AccuracyMatrix` by name of the rule, the primary one first, for the rules that
            predicted after every task.
        measures: values after each task by name of the figure of a measure, `None` where undefined;
            without figures that are nowhere defined.
        num_classes: classes seen after each task.
        confusion: confusion matrix of the primary rule after the last task, rows are true classes.
        class_sizes: training images of each class when it arrived.
        shots: the `shot_accuracies` after each task; `[]` where the classes are balanced.
        split: `test`, or `validation` for images held out of training.

    Raises:
        UserError: the evaluations are not those of one chain of tasks on one split, or have no
            predictions of the primary rule.
    """

    def __init__(self, evaluations):
        self.tasks = [one["task"] for one in evaluations]
        for position, one in enumerate(evaluations):
            if one["tasks"] != self.tasks[: position + 1]:
                raise UserError(
                    f"Expected the evaluation of task {one['task']} to cover the tasks "
                    f"{self.tasks[: position + 1]}. Received: tasks={one['tasks']}"
                )
            if primary() not in one["correct"]:
                raise UserError(
                    f"Expected predictions of the rule {primary()} in the evaluation of task "
                    f"{one['task']}: run the stage evaluate again. "
                    f"Received: {', '.join(one['correct']) or 'none'}"
                )
        totals = _lower_triangle(one["images"] for one in evaluations)
        self.matrices = {
            rule: AccuracyMatrix(
                _lower_triangle(one["correct"][rule] for one in evaluations), totals
            )
            for rule in all_rules()
            if all(rule in one["correct"] for one in evaluations)
        }
        measured = [one.get("measures", {}) for one in evaluations]
        # In the order of the last task: the first has no figures of old classes.
        names = dict.fromkeys(name for one in reversed(measured) for name in one if is_known(name))
        self.measures = {name: [one.get(name) for one in measured] for name in names}
        self.num_classes = [len(one["confusion"]) for one in evaluations]
        self.confusion = np.array(evaluations[-1]["confusion"])
        self.class_sizes = evaluations[-1]["class_sizes"]
        self.shots = (
            [
                shot_accuracies(one["confusion"], self.class_sizes[:classes])
                for one, classes in zip(evaluations, self.num_classes, strict=True)
            ]
            if is_unbalanced(self.class_sizes)
            else []
        )
        self.split = _only(one.get("split", "test") for one in evaluations)

    @property
    def primary(self) -> AccuracyMatrix:
        """The accuracy matrix of the primary rule."""
        return self.matrices[primary()]

    @property
    def num_images(self) -> int:
        """Images that the last model was evaluated on."""
        return int(self.confusion.sum())

    def task_of_class(self) -> np.ndarray:
        """Computes the number of the task that brought each class: (classes,)."""
        classes = np.arange(len(self.confusion))
        return np.searchsorted(self.num_classes, classes, side="right")

    def class_accuracy(self) -> list[float | None]:
        """Computes the last model's accuracy on each class, `None` for a class without images."""
        pairs = zip(self.confusion.diagonal(), self.confusion.sum(axis=1), strict=True)
        return [float(hits / images) if images else None for hits, images in pairs]

    def task_confusion(self) -> np.ndarray:
        """Counts images of each task's classes, taken for classes of each task: (tasks, tasks)."""
        first = [0, *self.num_classes[:-1]]
        return np.add.reduceat(np.add.reduceat(self.confusion, first, axis=0), first, axis=1)

    def metrics(self) -> dict:
        """Returns the contents of metrics.json: fractions, `None` where a figure is undefined.

        Figures of the primary rule are at the top, those of another rule under its name, the
        measures of the last model under `measures`. Where the classes are unbalanced, `shots` has
        the last model's accuracies by class size, of the primary rule.
        """
        summaries = {rule: matrix.summary() for rule, matrix in self.matrices.items()}
        figures = summaries.pop(primary()) | summaries
        figures |= {"measures": {name: values[-1] for name, values in self.measures.items()}}
        return figures | ({"shots": self.shots[-1]} if self.shots else {})


def _only(splits) -> str:
    found = sorted(set(splits))
    if len(found) > 1:
        raise UserError(
            "Expected all tasks to be evaluated on one split: run the stage evaluate of every task "
            f"again. Received: split={' and '.join(found)}"
        )
    return found[0]


def _lower_triangle(rows) -> np.ndarray:
    return np.array(list(zip_longest(*rows, fillvalue=np.nan))).T
