"""lucir: a cosine head, features that keep their direction, and a margin to the new classes.

Reference: Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
"""

import numpy as np

from tfcil.losses import less_forget, margin_violations
from tfcil.methods.base import Method, Stage, Term
from tfcil.methods.classification import classification_term
from tfcil.methods.head_weights import imprinted_columns

ABOUT = {
    "head": "cosine",
    "losses": ["ce", "bsce", "meta-bsce", "relaxed-bsce"],
    "second_stage": "balancing",
    "second_stage_by_default": False,  # as in the official script for CIFAR-100
}
OUTPUTS = ("logits", "features", "scores")


def less_forget_weight(base, num_old, num_new):
    """Computes the adaptive weight: the more is known, the more is kept (the code's ratio)."""
    return base * (num_old / num_new) ** 0.5


def _terms(options, increment):
    num_old = increment.num_old

    def direction(batch):
        return less_forget(batch.teacher["features"], batch.student["features"])

    def ranking(batch):
        return margin_violations(
            *(batch.labels, batch.student["scores"], num_old, options.negatives, options.margin)
        )

    def old_samples(labels):
        return max((labels < num_old).sum(), 1)

    weight = less_forget_weight(options.less_forget_weight, num_old, increment.num_new)
    return [
        classification_term(options, increment),
        Term("less_forget", weight, direction),
        Term("margin_ranking", options.margin_ranking_weight, ranking, size=old_samples),
    ]


def _imprinted(task, trained):
    old_kernel, _ = task.head.read(task.teacher)
    norm = np.linalg.norm(old_kernel, axis=0).mean()
    increment = task.increment
    return task.grown(
        imprinted_columns(*task.new_features(), increment.num_old, increment.num_new, norm)
    )


METHOD = Method(
    _terms,
    outputs=OUTPUTS,
    teacher_outputs=("features",),
    student=_imprinted,
    freezes_old_columns=True,
    second_stage=Stage(
        _terms,
        name="balancing",
        outputs=OUTPUTS,
        teacher_outputs=("features",),
        balanced=True,
        head_only=True,
    ),
)
