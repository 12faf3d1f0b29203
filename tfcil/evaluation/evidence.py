"""The outputs of a model that rules and measures read."""

from functools import cached_property

import numpy as np


class Evidence:
    """Outputs of a model for the test images and the exemplars, computed once, when first read.

    Args:
        forward: function from n images to a dictionary of float arrays: `logits` `(n, classes)`
            and `features` `(n, d)`.
        images: (n, height, width, channels) raw test images.
        labels: int array (n,), their classes.
        memory: the `ExemplarMemory` after the model's task, of m exemplars.
        num_old: number of classes of the tasks before; the others are new.

    Attributes:
        labels: of the test images.
        num_old: number of old classes.
        exemplar_labels: int array (m,).
    """

    def __init__(self, forward, images, labels, memory, num_old=0):
        self._forward = forward
        self._images = images
        self._exemplars = memory.images
        self.labels = labels
        self.num_old = num_old
        self.exemplar_labels = memory.labels

    @property
    def logits(self) -> np.ndarray:
        """Logits of the test images, (n, classes)."""
        return self._outputs["logits"]

    @property
    def features(self) -> np.ndarray:
        """Features of the test images, (n, d)."""
        return self._outputs["features"]

    @property
    def num_classes(self) -> int:
        """How many classes the model knows."""
        return self.logits.shape[1]

    @cached_property
    def exemplar_features(self) -> np.ndarray:
        """Features of the exemplars, (m, d)."""
        return self._forward(self._exemplars)["features"]

    @cached_property
    def _outputs(self):
        return self._forward(self._images)
