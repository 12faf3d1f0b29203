"""A method outside the package, as a person writes one: its gradient transform has a state.

The distillation fades out over the training, and columns of the head that were pushed hard so far
move more slowly.
"""

import numpy as np
from keras import ops
from pydantic import Field

from tfcil import classifier, losses
from tfcil.components import facts
from tfcil.components.sections import NonNegative
from tfcil.training import Term, Transform

FACTS = facts.MethodFacts()


class Options(facts.Options):
    """Options of this method."""

    strength: NonNegative = Field(1.0, description="exponent of the scale; 0: none")


class ScaledColumns(Transform):
    """Divides the gradient of each column of a matrix by the mean of its norms so far.

    Args:
        matrix: the Keras variable.
        strength: exponent of the scale.
    """

    def __init__(self, matrix, strength):
        self.matrix, self.strength = matrix, strength

    def init(self, variables):
        """Returns the sum of the norms of each column, and the number of steps."""
        self._position = [one is self.matrix for one in variables].index(True)
        return [np.zeros(self.matrix.shape[-1], "float32"), np.zeros((), "int32")]

    def update(self, gradients, state, variables, step):
        """Returns gradients with scaled columns, and the state with this step in it."""
        gradients, (norms, steps) = list(gradients), state
        own = gradients[self._position]
        norms, steps = norms + ops.sqrt(ops.sum(own**2, axis=0)), steps + 1
        usual = norms / ops.cast(steps, "float32")
        scale = (ops.mean(usual) / (usual + 1e-6)) ** self.strength
        gradients[self._position] = scale * own
        return gradients, [norms, steps]


def learn(task, train, options):
    """Trains the grown network on classification and a distillation that fades out."""

    def fading(batch):
        taught, logits = batch.teacher["logits"], batch.student["logits"]
        return (1 - batch.progress) * losses.logit_distillation(taught, logits, 2.0)

    student = task.grown()
    scaled = ScaledColumns(student.get_layer(classifier.LOGITS).kernel, options.strength)
    terms = [task.classification(), Term("fading", 1.0, fading, teacher_reads=("logits",))]
    return train(task, task.phase(terms, student, transforms=(scaled,)))
