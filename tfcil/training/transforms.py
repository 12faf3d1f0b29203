"""What happens to the gradients between the loss and the update.

A transform is a function of (gradients, variables), two lists, to the new gradients. They are
applied in a row, to the gradients of the whole batch.
"""


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
