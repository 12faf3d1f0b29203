"""mmd: features whose distribution stays, and distillation on the new images.

Made for image retrieval; published without exemplars. With `triplet_weight`, features of a class
are also drawn together, on batches of P classes with K images each.

Reference: Chen et al., "On the Exploration of Incremental Learning for Fine-grained Image
Retrieval" (BMVC 2020, arXiv 2010.08020).
"""

import numpy as np
from pydantic import Field, StrictInt

from tfcil import losses
from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative, Positive, PositiveInt
from tfcil.methods.shared import terms
from tfcil.training import samplers
from tfcil.training.phase import DISTILLATION, Term

FACTS = MethodFacts(one_device=True)
FEATURES = ("features",)


class Options(terms.Options):
    """Options of mmd."""

    distillation_weight: NonNegative = Field(1.0, description="factor of the distillation")
    discrepancy_weight: NonNegative = Field(1.0, description="factor of the discrepancy")
    bandwidths: tuple[Positive, ...] = Field(
        (0.25, 0.5, 1.0, 2.0, 4.0),
        min_length=1,
        description="of the discrepancy's kernels, in median distances",
    )
    triplet_weight: NonNegative = Field(
        0.0, description="factor of the triplet loss; 0: plain batches by batch_size"
    )
    margin: NonNegative = Field(0.2, description="of the triplet loss")
    classes_per_step: PositiveInt = Field(16, description="P, with the triplet loss")
    images_per_class: StrictInt = Field(4, ge=2, description="K, with the triplet loss")

    @property
    def removes_prior(self) -> str | None:
        """Batches with as many images of each class have no prior to be removed."""
        return "its P x K batches" if self.triplet_weight else None


def learn(task, train, options):
    """Trains the grown network; with the triplet loss, on P x K batches."""
    kept = [new_distillation_term(task, options), discrepancy_term(options)]
    if not options.triplet_weight:
        return train(task, task.phase([task.classification(), *kept]))
    sampler = samplers.PerClass(task.labels, options.classes_per_step, options.images_per_class)
    phase_terms = [_even(task).classification(), *kept, triplet_term(options)]
    return train(task, task.phase(phase_terms, sampler=sampler))


def new_distillation_term(task, options):
    """Returns the distillation of logits, its mean over the new images of a batch."""
    plain = terms.logit_distillation_term(options.temperature, options.distillation_weight)

    def values(batch):
        from keras import ops

        return ops.where(batch.labels >= task.num_old, plain.values(batch), 0.0)

    def new_images(labels):
        return max((labels >= task.num_old).sum(), 1)

    return Term(DISTILLATION, plain.weight, values, size=new_images, teacher_reads=("logits",))


def discrepancy_term(options):
    """Returns the squared maximum mean discrepancy of the teacher's and the student's features."""

    def values(batch):
        taught, features = batch.teacher["features"], batch.student["features"]
        return losses.maximum_mean_discrepancy(taught, features, options.bandwidths)

    weight = options.discrepancy_weight
    return Term(
        "discrepancy", weight, values, reads=FEATURES, teacher_reads=FEATURES, whole_batch=True
    )


def triplet_term(options):
    """Returns the triplet loss of the student's features."""

    def values(batch):
        return losses.triplet(batch.labels, batch.student["features"], options.margin)

    return Term("triplet", options.triplet_weight, values, reads=FEATURES, whole_batch=True)


def _even(task):
    """Returns the task with as many images of each class, as P x K batches show them.

    A balanced softmax takes its counts from it: those of the task would remove a prior that the
    batches don't have.
    """
    _, first, counts = np.unique(task.labels, return_index=True, return_counts=True)
    return task.only(np.repeat(first, max(round(counts.mean()), 1)))
