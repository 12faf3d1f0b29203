"""foster: a second backbone learns what the first does not explain; both are compressed into one.

Reference: Wang et al., "FOSTER: Feature Boosting and Compression for Class-Incremental Learning"
(arXiv 2204.04662).
"""

import dataclasses
from typing import Annotated

from pydantic import Field

from tfcil import losses
from tfcil.classification import ce
from tfcil.components.facts import MethodFacts
from tfcil.components.recipe import changed_recipe, recipe_options
from tfcil.methods.shared import terms
from tfcil.training.phase import CLASSIFICATION, Term

FACTS = MethodFacts(
    any_loss=False, own_losses=("ce",), removes_prior="its class weights", smooths=False
)

Beta = Annotated[float, Field(ge=0, lt=1)]
Compression = recipe_options()


class Options(terms.Options):
    """Options of foster."""

    boosting_beta: Beta = Field(
        0.96, description="of the effective numbers that weigh the classes in boosting"
    )
    compression_beta: Beta = Field(0.97, description="of those in the compression")
    compression: Compression = Field(
        Compression(), description="recipe of the compression, where it differs from `increment`"
    )


def learn(task, train, options):
    """Trains two backbones, the old one frozen, and then one by the predictions of both."""
    boosted = train(
        task, task.phase(boosting_terms(task, options), task.expanded(auxiliary=task.num_seen))
    )
    compression = task.phase(
        compression_terms(task, options),
        name="compression",
        teacher=boosted,
        recipe=changed_recipe(task.recipe, options.compression),
    )
    return train(task, compression)


def boosting_terms(task, options):
    """Returns rescaled classification, the new backbone's own classification, and distillation."""
    weights = losses.effective_number_weights(task.class_counts, options.boosting_beta)

    def rescaled(batch):
        return losses.rescaled_crossentropy(batch.labels, batch.student["logits"], weights)

    temperature = options.temperature
    return [
        Term(CLASSIFICATION, 1.0, rescaled),
        dataclasses.replace(ce.term(task, output="auxiliary"), name="auxiliary"),
        terms.logit_distillation_term(temperature, 1 / temperature**2),
    ]


def compression_terms(task, options):
    """Returns the balanced distillation of both backbones into one."""
    weights = losses.effective_number_weights(task.class_counts, options.compression_beta)

    def compression(batch):
        taught, logits = batch.teacher["logits"], batch.student["logits"]
        return losses.weighted_distillation(taught, logits, weights, options.temperature)

    return [Term("compression", 1.0, compression, teacher_reads=("logits",))]
