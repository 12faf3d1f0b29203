"""What happens to the gradients between the loss and the update.

A transform is a function of (gradients, variables), two lists, to the new gradients. They are
applied in a row, to the gradients of the whole batch.
"""

from keras import ops


def weight_decay(coefficient):
    """Returns the transform that adds `coefficient` times each variable: the L2 penalty of SGD.

    It acts on all trainable variables, scales and biases too, as the official codes do.
    """

    def add(gradients, variables):
        return [
            gradient + coefficient * variable
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    return add


def clipped(largest):
    """Returns the transform that cuts each element to [-largest, largest]."""
    return lambda gradients, variables: [ops.clip(one, -largest, largest) for one in gradients]


def frozen_columns(position, count):
    """Returns the transform that leaves the first columns of one variable as they are.

    It comes last: the decay of the weights stops too, and momentum starts from zero.

    Args:
        position: which of the variables; a matrix.
        count: how many columns.
    """

    def freeze(gradients, variables):
        gradients = list(gradients)
        columns = ops.arange(gradients[position].shape[-1])
        gradients[position] = ops.where(columns < count, 0.0, gradients[position])
        return gradients

    return freeze
