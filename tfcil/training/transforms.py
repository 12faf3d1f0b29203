"""The gradient transforms that recipes and methods use; see `tfcil.training.phase.Transform`."""

from keras import ops

from tfcil.training.phase import Transform


class WeightDecay(Transform):
    """Adds `coefficient` times each variable to its gradient: the L2 penalty, coupled.

    It acts on all trainable variables, scales and biases too, as the official codes do.
    """

    def __init__(self, coefficient):
        self.coefficient = coefficient

    def update(self, gradients, state, variables, step):
        """Returns gradients with the decay added."""
        pairs = zip(gradients, variables, strict=True)
        return [gradient + self.coefficient * variable for gradient, variable in pairs], state


class Clipped(Transform):
    """Clips each element of each gradient to [-largest, largest]."""

    def __init__(self, largest):
        self.largest = largest

    def update(self, gradients, state, variables, step):
        """Returns clipped gradients."""
        return [ops.clip(one, -self.largest, self.largest) for one in gradients], state


class ClippedNorm(Transform):
    """Scales all gradients by one factor, so that their common length is at most `largest`.

    It comes before coupled weight decay, which is no gradient of the loss.
    """

    before_decay = True

    def __init__(self, largest):
        self.largest = largest

    def update(self, gradients, state, variables, step):
        """Returns clipped gradients."""
        length = ops.sqrt(sum(ops.sum(ops.square(one)) for one in gradients))
        factor = self.largest / ops.maximum(length, self.largest)
        return [factor * one for one in gradients], state


class FrozenColumns(Transform):
    """Sets the gradient of the first columns of a matrix to 0, so that they keep their values.

    It comes last: the coupled decay stops too, and momentum starts from zero. Decoupled decay
    leaves the whole matrix out.

    Args:
        matrix: the Keras variable.
        count: how many columns.
    """

    def __init__(self, matrix, count):
        self.matrix, self.count = matrix, count

    def init(self, variables):
        """Finds the matrix among the variables; there is no state."""
        self._position = [one is self.matrix for one in variables].index(True)
        return []

    def update(self, gradients, state, variables, step):
        """Returns gradients that are 0 in these columns."""
        gradients, position = list(gradients), self._position
        columns = ops.arange(gradients[position].shape[-1])
        gradients[position] = ops.where(columns < self.count, 0.0, gradients[position])
        return gradients, state
