"""How much each class was seen lately, by which tal weighs it as a wrong answer.

The positive supervision x of a class is a moving average over the steps, with memory lambda,

    x <- lambda x + (1 - lambda) (p - (1 - p) x^r / (C - 1)),

where p is the part of the step's images that have the class, and C the number of classes. It is
Q / Q_max of Ma & Zhu (arXiv 2603.02280), in the form of the authors' code, which divides the
negative supervision by C - 1. The weight is (x / x*)^r: x* is where a class of a balanced stream
stays, so that all weights are 1 there. Each training starts at x*, with cross-entropy; the authors'
code goes on from the task before, with 0 for new classes.
"""

import keras
import numpy as np

from tfcil.training.phase import BeforeStep


class Supervision(BeforeStep):
    """Averages the labels of the steps.

    Args:
        num_classes: C, of which a step's labels may be.
        options: of tal.

    Attributes:
        variables: x, (classes,).
    """

    def __init__(self, num_classes, options):
        self._memory, self._exponent = options.memory, options.exponent
        self._balanced = balanced_supervision(num_classes, options.exponent)
        start = np.full(num_classes, self._balanced)
        self._supervision = keras.Variable(start, dtype="float32", name="supervision")
        self._weights = np.ones(num_classes, "float32")
        self.variables = [self._supervision]

    def told(self):
        """Returns the `weights` of the coming step, (classes,)."""
        return {"weights": self._weights}

    def update(self, step, images, labels, draws, learning_rate):
        """Weighs the classes by the steps before the coming one, and averages its labels."""
        supervision = keras.ops.convert_to_numpy(self._supervision)
        weights = (np.maximum(supervision, 0) / self._balanced) ** self._exponent
        self._weights = weights.astype("float32")
        self._supervision.assign(
            next_supervision(supervision, labels, self._memory, self._exponent)
        )


def next_supervision(supervision, labels, memory, exponent):
    """Computes the positive supervision after a step.

    Args:
        supervision: x before it, (classes,).
        labels: (batch,) of all images of the step.
        memory, exponent: lambda and r.

    Returns:
        x after it, float64 (classes,).
    """
    num_classes = len(supervision)
    share = np.bincount(labels, minlength=num_classes) / len(labels)
    negative = (1 - share) * np.maximum(supervision, 0) ** exponent / max(num_classes - 1, 1)
    return memory * supervision + (1 - memory) * (share - negative)


def balanced_supervision(num_classes, exponent) -> float:
    """Computes x*, where x of a class stays that has 1/C of the images: x + x^r / C = 1 / C.

    Args:
        num_classes: C.
        exponent: r.
    """
    low, high = 0.0, 1.0
    for _ in range(60):  # halvings: to the last bit of a float64
        middle = (low + high) / 2
        if middle + middle**exponent / num_classes > 1 / num_classes:
            high = middle
        else:
            low = middle
    return low
