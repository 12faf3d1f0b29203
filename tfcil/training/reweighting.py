"""Gradient reweighting of a linear head: classes learn at one pace, whatever their frequency.

Reference: He, "Gradient Reweighting: Towards Imbalanced Class-Incremental Learning" (CVPR 2024,
arXiv 2402.18528), as in the author's code.
"""

import numpy as np
from keras import ops

from tfcil.training.phase import Transform

TINY = 1e-12


class HeadReweighting(Transform):
    """Scales the gradients of a head's columns by what each class has received so far.

    With g_j the gradient of column j and S_j the running sum of its norms, this step included, g_j
    and that of the bias are multiplied by `column_factors(S)`. The columns of old classes then
    receive the distillation's gradient, scaled to the norm of the whole head's gradient so far.

    Its state are the sums. It comes before coupled weight decay, which would count as a gradient.

    Args:
        head: the `Dense` layer, whose gradients are without those of the distillation.
        apart: the layer `OldLogits`, whose gradients are those of the distillation, or `None`.
        num_old: number of old classes; 0: all are one group.
        damping: factor of the new classes before the minimum, see `column_factors`.
        task_ratio: `"official"` or `"symmetric"`.
    """

    before_decay = True

    def __init__(self, head, apart=None, num_old=0, damping=1.0, task_ratio="official"):
        self.head, self.apart = head, apart
        self.num_old, self.damping, self.task_ratio = num_old, damping, task_ratio

    def init(self, variables):
        """Finds the head among the variables; returns the sums, (classes,)."""
        layers = filter(None, (self.head, self.apart))
        wanted = [one for layer in layers for one in (layer.kernel, layer.bias)]
        self._positions = [[one is each for each in variables].index(True) for one in wanted]
        return [np.zeros(self.head.kernel.shape[-1], "float32")]

    def update(self, gradients, state, variables, step):
        """Returns the gradients with those of the head reweighted, and the new sums."""
        gradients = list(gradients)
        kernel, bias, *apart = (gradients[one] for one in self._positions)
        norms = _norms(kernel)
        sums = state[0] + norms
        factors = column_factors(sums, self.num_old, self.damping, self.task_ratio)
        new = [factors * kernel, factors * bias]
        if apart:
            scale = _norm(factors * norms) / _norm(_norms(apart[0]))
            new = [_added(one, scale * other) for one, other in zip(new, apart, strict=True)]
            new += [ops.zeros_like(one) for one in apart]
        for position, gradient in zip(self._positions, new, strict=True):
            gradients[position] = gradient
        return gradients, [sums]


def column_factors(sums, num_old, damping=1.0, task_ratio="official"):
    """Computes the factor of each class's gradient.

    Inside the old and inside the new classes it is min S / S_j. All old classes are multiplied by
    min(1, n / o), where o and n are the mean S of old and new classes; the new ones by
    min(1, damping n / o) in the official code, by min(1, damping o / n) in the symmetric form. A
    class without any gradient has the factor 1 in its group and is no minimum.

    Args:
        sums: S, (classes,), a tensor, old classes first.
        num_old: number of old classes; 0: all are one group, without the second factor.
        damping: exp(-strength N_old / (N_old + N_new)), N the images that the classes came with.
        task_ratio: `"official"` or `"symmetric"`.

    Returns:
        (classes,), above 0 and at most 1.
    """
    if not num_old:
        return _inside(sums)
    old, new = sums[:num_old], sums[num_old:]
    ratio = _mean(new) / ops.maximum(_mean(old), TINY)
    other = ratio if task_ratio == "official" else 1 / ops.maximum(ratio, TINY)
    of_old, of_new = ops.minimum(1.0, ratio), ops.minimum(1.0, damping * other)
    return ops.concatenate([of_old * _inside(old), of_new * _inside(new)])


def _inside(sums):
    some = sums > 0
    least = ops.min(ops.where(some, sums, ops.max(sums)))
    return ops.where(some, least / ops.where(some, sums, 1.0), 1.0)


def _added(all_classes, old):
    """Adds to the columns of the old classes."""
    count = old.shape[-1]
    return ops.concatenate([all_classes[..., :count] + old, all_classes[..., count:]], axis=-1)


def _norms(kernel):
    return ops.sqrt(ops.sum(ops.square(kernel), axis=0))


def _norm(vector):
    return ops.maximum(ops.sqrt(ops.sum(ops.square(vector))), TINY)


def _mean(vector):
    # Keras's own mean works in float32 on JAX.
    return ops.sum(vector) / vector.shape[0]
