"""The accuracy matrix and every figure computed from it."""

import math

import numpy as np


class AccuracyMatrix:
    """Accuracy on each task's test images after each task.

    All figures are fractions in 0..1 or their differences. Papers give the same names to
    different figures; each method says which one it computes.

    Args:
        correct: array `(tasks, tasks)`: row `t`, column `i` counts the test images of task `i`
            that the model after task `t` classifies correctly among all classes seen by then.
            NaN above the diagonal, where the model does not know the task yet.
        totals: array `(tasks, tasks)`: the numbers of those test images. Entries above the diagonal
            are ignored.

    Raises:
        ValueError: the arrays are not square; an entry on or below the diagonal is no whole number;
            an entry of `correct` above it is not NaN; a task has no test images, or fewer than
            correct ones.

    Example:
        >>> matrix = AccuracyMatrix([[9, np.nan], [6, 4]], [[10, np.nan], [10, 5]])
        >>> round(matrix.average_incremental_accuracy(), 4)  # mean of 9/10 and 10/15
        0.7833
    """

    def __init__(self, correct, totals):
        self.correct = np.array(correct, dtype=np.float64)
        self.totals = np.array(totals, dtype=np.float64)
        shape = self.correct.shape
        if len(shape) != 2 or shape[0] != shape[1] or shape[0] == 0 or self.totals.shape != shape:
            raise ValueError(
                "correct and totals must be square and of the same size. "
                f"Received: correct.shape={shape}, totals.shape={self.totals.shape}"
            )
        known = np.tri(len(self.correct), dtype=bool)
        self.totals[~known] = np.nan
        self._check_counts(known)

    def _check_counts(self, known):
        if not np.isnan(self.correct[~known]).all():
            raise ValueError(
                "correct must be NaN above the diagonal, where a task is not learnt yet. "
                f"Received: correct={self.correct.tolist()}"
            )
        correct, totals = self.correct[known], self.totals[known]
        for name, values in (("correct", correct), ("totals", totals)):
            if not np.array_equal(values, np.floor(values)) or not np.isfinite(values).all():
                raise ValueError(
                    f"{name} must be whole numbers on and below the diagonal. "
                    f"Received: {name}={getattr(self, name).tolist()}"
                )
        if (correct < 0).any() or (correct > totals).any() or (totals <= 0).any():
            raise ValueError(
                "every evaluated task needs test images, and 0 <= correct <= totals. "
                f"Received: correct={self.correct.tolist()}, totals={self.totals.tolist()}"
            )

    def accuracies(self):
        """Computes the accuracy on each task after each task, a float64 array `(tasks, tasks)`.

        It is `A[t, i]` in the formulas below, NaN above the diagonal; `T` is the last task.
        """
        return self.correct / self.totals

    def curve(self):
        """Computes the accuracy over all seen classes after each task, a float64 array `(tasks,)`.

        Each test image counts once: a task weighs as much as it has test images.
        """
        return np.nansum(self.correct, axis=1) / np.nansum(self.totals, axis=1)

    def average_incremental_accuracy(self) -> float:
        """Computes the mean of `curve`: every evaluation weighs the same, the base one included.

        Papers of the BiC and WA family leave the base task out; LUCIR, PODNet and iCaRL do not.

        Reference:
            Rebuffi et al., iCaRL (arXiv 1611.07725); Hou et al., LUCIR (CVPR 2019).
        """
        return float(self.curve().mean())

    def last_accuracy(self) -> float:
        """Computes the accuracy of the last model over all test images."""
        return float(self.curve()[-1])

    def forgetting(self) -> float:
        """Computes the mean over the old tasks `i` of `max_{i <= t < T} A[t, i] - A[T, i]`.

        NaN after the base task. The maximum leaves out the last model, so the figure is negative
        where that one is the best.

        Reference:
            Chaudhry et al., Riemannian Walk (arXiv 1801.10112), equation 3.
        """
        accuracies = self.accuracies()
        if len(accuracies) == 1:
            return math.nan
        best = np.nanmax(accuracies[:-1, :-1], axis=0)
        return float(np.mean(best - accuracies[-1, :-1]))

    def backward_transfer(self) -> float:
        """Computes the mean over the old tasks `i` of `A[T, i] - A[i, i]`.

        NaN after the base task; negative values mean forgetting. Only the last row counts, unlike
        Diaz-Rodriguez et al. (arXiv 1810.13166), who average over all rows.

        Reference:
            Lopez-Paz and Ranzato, GEM (arXiv 1706.08840), equation 3.
        """
        accuracies = self.accuracies()
        if len(accuracies) == 1:
            return math.nan
        return float(np.mean((accuracies[-1] - accuracies.diagonal())[:-1]))

    def old_new(self, task=-1):
        """Computes the accuracy over the old and over the new classes after a task, two floats.

        The former is NaN for the base task. Each test image counts once.

        Args:
            task: int, number of the task; negative numbers count from the end.
        """
        task = range(len(self.correct))[task]
        correct, totals = self.correct[task], self.totals[task]
        old = correct[:task].sum() / totals[:task].sum() if task else math.nan
        return float(old), float(correct[task] / totals[task])

    def summary(self):
        """Computes the figures of metrics.json, a dict of floats; None where one is undefined."""
        old, new = self.old_new()
        figures = {
            "average_incremental_accuracy": self.average_incremental_accuracy(),
            "last_accuracy": self.last_accuracy(),
            "forgetting": self.forgetting(),
            "backward_transfer": self.backward_transfer(),
            "old_accuracy": old,
            "new_accuracy": new,
        }
        return {name: None if math.isnan(figure) else figure for name, figure in figures.items()}


def confusion_matrix(y_true, y_pred, num_classes):
    """Computes how often each class was taken for each class.

    Args:
        y_true: int array `(n,)`, true classes in `0..num_classes-1`.
        y_pred: int array `(n,)`, predicted classes in the same range.
        num_classes: int.

    Returns:
        int64 array `(num_classes, num_classes)`: row = true class, column = predicted class.

    Raises:
        ValueError: shapes disagree or a class is out of range.
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape:
        raise ValueError(
            "y_true and y_pred must be vectors of the same length. "
            f"Received: y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    for name, classes in (("y_true", y_true), ("y_pred", y_pred)):
        if classes.size and not 0 <= classes.min() <= classes.max() < num_classes:
            raise ValueError(
                f"{name} must be in 0..{num_classes - 1}. "
                f"Received: {name} from {classes.min()} to {classes.max()}"
            )
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix
