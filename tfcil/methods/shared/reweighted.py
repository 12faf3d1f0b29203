"""The phase in which the gradients of the head are reweighted, as of dgr."""

import math

from tfcil import classifier, training

OUTPUT = "old_logits"  # of the student: what the distillation reads


def reweighted_phase(task, phase_terms, task_ratio, strength=1.0):
    """Returns the training of the grown network with the gradients of its head reweighted.

    Args:
        task: the `Task`.
        phase_terms: addends of the loss; those that read `OUTPUT` are distillation.
        task_ratio: `"official"` or `"symmetric"`.
        strength: gamma_r, of the damping of the new classes.
    """
    old = task.old_counts.sum()
    share = old / (old + sum(task.class_counts[task.num_old :]))
    grown = task.grown()
    student, apart = classifier.with_gradients_apart(grown, task.num_old)
    transform = training.HeadReweighting(
        grown.get_layer("logits"),
        apart,
        num_old=task.num_old,
        damping=math.exp(-strength * share),
        task_ratio=task_ratio,
    )
    return task.phase(phase_terms, student, transforms=(transform,))
