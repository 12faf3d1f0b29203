"""foster: a second backbone learns what the first does not explain; both are compressed into one.

Reference: Wang et al., "FOSTER: Feature Boosting and Compression for Class-Incremental Learning"
(arXiv 2204.04662).
"""

import dataclasses

from tfcil.losses import effective_number_weights, rescaled_crossentropy, weighted_distillation
from tfcil.methods.base import Method, Stage, Term
from tfcil.methods.classification import cross_entropy_term
from tfcil.methods.distillation import logit_distillation_term
from tfcil.methods.expansion import expanded_with_head

ABOUT = {
    "losses": ["ce"],
    "second_stage": "compression",
    "balanced_by": "its class weights",
}


def _terms(options, increment):
    weights = effective_number_weights(increment.class_counts, options.boosting_beta)

    def rescaled(batch):
        return rescaled_crossentropy(batch.labels, batch.student["logits"], weights)

    return [
        Term("classification", 1.0, rescaled),
        dataclasses.replace(cross_entropy_term("auxiliary"), name="auxiliary"),
        logit_distillation_term(options, 1 / options.temperature**2),
    ]


def _compression_terms(options, increment):
    weights = effective_number_weights(increment.class_counts, options.compression_beta)

    def compression(batch):
        return weighted_distillation(
            *(batch.teacher["logits"], batch.student["logits"], weights, options.temperature)
        )

    return [Term("compression", 1.0, compression)]


def _all_classes(task):
    return task.increment.num_old + task.increment.num_new


METHOD = Method(
    _terms,
    student=lambda task, trained: expanded_with_head(task, _all_classes(task)),
    second_stage=Stage(
        _compression_terms,
        name="compression",
        student=lambda task, trained: task.grown(),
        teacher=lambda task, trained: trained,
    ),
)
