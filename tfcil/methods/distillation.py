"""The distillation terms that several methods share."""

import dataclasses

from tfcil.losses import logit_distillation, taskwise_distillation
from tfcil.methods.base import Term
from tfcil.methods.classification import classification_term

DISTILLATION = "distillation"


def logit_distillation_term(options, weight):
    """Returns T^2 KL of the teacher's softened predictions over the old classes."""
    return Term(
        DISTILLATION,
        weight,
        lambda batch: logit_distillation(
            batch.teacher["logits"], batch.student["logits"], options.temperature
        ),
    )


def taskwise_distillation_term(options, tasks, weight=1.0):
    """Returns the sum over `tasks`, the numbers of their classes, of each one's own T^2 KL."""
    return Term(
        DISTILLATION,
        weight,
        lambda batch: taskwise_distillation(
            batch.teacher["logits"], batch.student["logits"], tasks, options.temperature
        ),
    )


def mixed_terms(options, increment):
    """Returns (1 - l) classification + l distillation without its T^2, l the old classes' part.

    Reference: Wu et al., BiC (arXiv 1905.13260); Zhao et al., WA (arXiv 1911.07053).
    """
    part = old_fraction(increment)
    return [
        dataclasses.replace(classification_term(options, increment), weight=1 - part),
        logit_distillation_term(options, part / options.temperature**2),
    ]


def old_fraction(increment):
    """Computes the old classes' part of the seen ones."""
    return increment.num_old / (increment.num_old + increment.num_new)


def scaled_weight(options, increment):
    """Computes `distillation_weight` under `distillation_scale`."""
    scaled = options.distillation_scale == "old_fraction"
    return options.distillation_weight * (old_fraction(increment) if scaled else 1.0)
