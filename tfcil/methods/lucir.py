"""lucir: a cosine head, features that keep their direction, and a margin to the new classes.

No correction follows by default, as in the official script for CIFAR-100; that for ImageNet has
`correction: balanced_finetuning`, with the same loss on the head alone.

Reference: Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
"""

import numpy as np
from pydantic import Field

from tfcil import classifier, losses, training
from tfcil.components import facts
from tfcil.components.sections import NonNegative, PositiveInt
from tfcil.methods.shared.first_columns import imprinted_columns
from tfcil.training.phase import Term, head_only

FACTS = facts.MethodFacts()


class Options(facts.Options):
    """Options of lucir."""

    less_forget_weight: NonNegative = Field(5.0, description="factor before sqrt(old/new)")
    margin_ranking_weight: NonNegative = Field(1.0, description="factor of the ranking")
    margin: NonNegative = Field(0.5, description="of the ranking")
    negatives: PositiveInt = Field(2, description="new classes ranked against")


def head(options):
    """Returns the head: cosines times a learned scale."""
    return facts.Head(kind="cosine")


def learn(task, train, options):
    """Trains the network, whose new columns are imprinted and whose old columns are frozen."""
    old_kernel, _ = classifier.read_head(task.head, task.teacher)
    norm, new = np.linalg.norm(old_kernel, axis=0).mean(), task.new()
    student = task.grown(
        imprinted_columns(
            new.features(task.teacher), new.labels, task.num_old, task.num_new, norm=norm
        )
    )
    frozen = training.FrozenColumns(student.get_layer(classifier.LOGITS).kernel, task.num_old)
    return train(task, task.phase(loss_terms(task, options), student, transforms=(frozen,)))


def finetuning(task, trained, options):
    """Returns the fine-tuning of the head, all columns of it, by the same loss."""
    return task.phase(loss_terms(task, options), trained, "balancing", trainable=head_only)


def loss_terms(task, options):
    """Returns the three terms of the loss."""

    def direction(batch):
        return losses.less_forget(batch.teacher["features"], batch.student["features"])

    def ranking(batch):
        return losses.margin_violations(
            batch.labels,
            batch.student["scores"],
            task.num_old,
            k=options.negatives,
            margin=options.margin,
        )

    def old_samples(labels):
        return max((labels < task.num_old).sum(), 1)

    # The more is known, the more is kept: the ratio of the official code.
    keep = options.less_forget_weight * (task.num_old / task.num_new) ** 0.5
    features = ("features",)
    return [
        task.classification(),
        Term("less_forget", keep, direction, reads=features, teacher_reads=features),
        Term(
            "margin_ranking",
            options.margin_ranking_weight,
            ranking,
            size=old_samples,
            reads=("scores",),
        ),
    ]
