"""The evaluations of all tasks, as accuracy matrices."""

import numpy as np

from tfcil.errors import UserError
from tfcil.metrics import AccuracyMatrix


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

    def metrics(self) -> dict:
        """Returns the contents of metrics.json: fractions, `None` where a figure is undefined."""
        cnn = self.matrices["cnn"].summary()
        if "nme" in self.matrices:
            cnn["nme"] = self.matrices["nme"].summary()
        return cnn


def _lower_triangle(rows) -> np.ndarray:
    matrix = np.full((len(rows), len(rows)), np.nan)
    for position, row in enumerate(rows):
        matrix[position, : len(row)] = row
    return matrix
