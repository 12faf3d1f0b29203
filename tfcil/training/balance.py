"""Pull and push of a head's old classes: how far new images may push them, how far they move.

Inspired by Yin et al., weight balancing replay (arXiv 2408.08084), whose equations we could not
read.
"""

import numpy as np
from keras import ops

from tfcil.training.phase import BeforeStep, Transform

TINY = 1e-12


class LimitedPush(Transform):
    """Limits the gradient by which new images move the old classes of a linear head.

    With P_j the gradient of column j that is not apart, the pull, and Q_j the one apart, the push,
    column j receives P_j + Q_j min(1, kappa |P_j| / |Q_j|), and its bias is mixed with the
    same factor. The layer apart receives 0.

    It comes before coupled weight decay, which would count as a pull.

    Args:
        head: the `Dense` layer.
        apart: the layer `OldLogits`, through which new images see the old classes.
        kappa: 0 or more.
    """

    before_decay = True

    def __init__(self, head, apart, kappa=1.0):
        self.head, self.apart, self.kappa = head, apart, kappa

    def init(self, variables):
        """Finds the head among the variables; there is no state."""
        wanted = [one for layer in (self.head, self.apart) for one in (layer.kernel, layer.bias)]
        self._positions = [[one is each for each in variables].index(True) for one in wanted]
        return []

    def update(self, gradients, state, variables, step):
        """Returns the gradients with pull and limited push added up in the head."""
        gradients = list(gradients)
        kernel, bias, *pushes = self._positions
        num_old = gradients[pushes[0]].shape[-1]
        pull, push = gradients[kernel][:, :num_old], gradients[pushes[0]]
        factors = ops.minimum(1.0, self.kappa * _norms(pull) / ops.maximum(_norms(push), TINY))
        for position, pushed in zip((kernel, bias), pushes, strict=True):
            whole, apart = gradients[position], factors * gradients[pushed]
            old = whole[..., :num_old] + apart
            gradients[position] = ops.concatenate([old, whole[..., num_old:]], axis=-1)
            gradients[pushed] = ops.zeros_like(apart)
        return gradients, state


class HeadMovement(BeforeStep):
    """Measures `balance`: how far old classes move in an epoch, relative to new ones.

    It is the mean length of the change of the old columns by that of the new ones; 0 before the
    first step of an epoch.

    Args:
        head: a layer with a kernel (d, classes).
        num_old: number of old classes.
    """

    def __init__(self, head, num_old):
        self._head, self._num_old = head, num_old

    def epoch_begins(self):
        """Remembers the columns."""
        self._before = ops.convert_to_numpy(self._head.kernel).copy()

    def told(self):
        """Returns `balance`."""
        change = ops.convert_to_numpy(self._head.kernel) - self._before
        lengths = np.linalg.norm(change, axis=0)
        old, new = lengths[: self._num_old].mean(), lengths[self._num_old :].mean()
        return {"balance": float(old / max(new, TINY))}


def _norms(kernel):
    return ops.sqrt(ops.sum(ops.square(kernel), axis=0))
