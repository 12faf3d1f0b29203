"""Distillation terms that several methods share, and their published weights."""

import dataclasses

from pydantic import Field

from tfcil import losses
from tfcil.components import facts
from tfcil.components.sections import Positive
from tfcil.training.phase import DISTILLATION, Term


class Options(facts.Options):
    """Options of every method that distils logits."""

    temperature: Positive = Field(2.0, description="T of the distillation of logits")


def logit_distillation_term(temperature, weight, output="logits"):
    """Returns T^2 KL of the teacher's softened predictions; `output` names the student's logits."""

    def values(batch):
        taught, logits = batch.teacher["logits"], batch.student[output]
        return losses.logit_distillation(taught, logits, temperature)

    return Term(DISTILLATION, weight, values, reads=(output,), teacher_reads=("logits",))


def taskwise_distillation_term(temperature, weight, tasks):
    """Returns the sum of each task's own T^2 KL; `tasks` holds the numbers of their classes."""

    def values(batch):
        taught, logits = batch.teacher["logits"], batch.student["logits"]
        return losses.taskwise_distillation(taught, logits, tasks, temperature)

    return Term(DISTILLATION, weight, values, teacher_reads=("logits",))


def mixed_terms(task, temperature):
    """Returns (1 - l) classification + l distillation without its T^2, l the old classes' part.

    Reference: Wu et al., BiC (arXiv 1905.13260); Zhao et al., WA (arXiv 1911.07053).
    """
    part = task.num_old / task.num_seen
    return [
        dataclasses.replace(task.classification(), weight=1 - part),
        logit_distillation_term(temperature, part / temperature**2),
    ]
