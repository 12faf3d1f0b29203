"""The evaluations of all tasks, as accuracy matrices."""

import numpy as np

from tfcil.errors import UserError
from tfcil.evaluation.matrix import AccuracyMatrix


class Results:
    """What was measured after each task of an experiment.

    Args:
        evaluations: the contents of evaluation/KEY.json, in the order of the tasks.

    Attributes:
        tasks: keys of the tasks.
        matrices: an `AccuracyMatrix` per prediction rule: `cnn`, and `nme` where every evaluation
            has it.
        num_classes: classes seen after each task.
        confusion: confusion matrix after the last task, rows are true classes.
        split: `test`, or `validation` where all were measured on images held out of training.

    Raises:
        UserError: where the evaluations are not those of one chain of tasks.
    """

    def __init__(self, evaluations):
        self.tasks = [one["task"] for one in evaluations]
        for position, one in enumerate(evaluations):
            if one["tasks"] != self.tasks[: position + 1]:
                raise UserError(
                    f"Expected the evaluation of task {one['task']} to cover the tasks "
                    f"{self.tasks[: position + 1]}. Received: tasks={one['tasks']}"
                )
        rules = [
            rule for rule in ("cnn", "nme") if all(rule in one["correct"] for one in evaluations)
        ]
        totals = _lower_triangle([one["images"] for one in evaluations])
        self.matrices = {
            rule: AccuracyMatrix(
                _lower_triangle([one["correct"][rule] for one in evaluations]), totals
            )
            for rule in rules
        }
        self.num_classes = [len(one["confusion"]) for one in evaluations]
        self.confusion = np.array(evaluations[-1]["confusion"])
        self.split = _only(one.get("split", "test") for one in evaluations)

    @property
    def num_images(self) -> int:
        """Images that the last model was evaluated on."""
        return int(self.confusion.sum())

    def task_of_class(self) -> np.ndarray:
        """Computes the number of the task that brought each class: (classes,)."""
        classes = np.arange(len(self.confusion))
        return np.searchsorted(self.num_classes, classes, side="right")

    def class_accuracy(self) -> np.ndarray:
        """Computes the last model's accuracy on each class: (classes,), NaN without images."""
        images = self.confusion.sum(axis=1)
        return np.where(images > 0, self.confusion.diagonal() / np.maximum(images, 1), np.nan)

    def task_confusion(self) -> np.ndarray:
        """Counts images of each task's classes, taken for classes of each task: (tasks, tasks)."""
        first = [0, *self.num_classes[:-1]]
        return np.add.reduceat(np.add.reduceat(self.confusion, first, axis=0), first, axis=1)

    def metrics(self) -> dict:
        """Returns the contents of metrics.json: fractions, `None` where a figure is undefined."""
        cnn = self.matrices["cnn"].summary()
        if "nme" in self.matrices:
            cnn["nme"] = self.matrices["nme"].summary()
        return cnn


def _only(splits) -> str:
    found = sorted(set(splits))
    if len(found) > 1:
        raise UserError(
            "Expected all tasks to be evaluated on one split: run the stage evaluate of every task "
            f"again. Received: split={' and '.join(found)}"
        )
    return found[0]


def _lower_triangle(rows) -> np.ndarray:
    matrix = np.full((len(rows), len(rows)), np.nan)
    for position, row in enumerate(rows):
        matrix[position, : len(row)] = row
    return matrix
