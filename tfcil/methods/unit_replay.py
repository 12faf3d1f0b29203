"""unit_replay: the mean feature of each old class is replayed, and new images push it in bounds.

The network is frozen. It is our reading of Yin et al., "An Efficient Replay for Class-Incremental
Learning with Pre-trained Models" (arXiv 2408.08084), whose equations we could not read.
"""

import dataclasses

import numpy as np
from pydantic import Field

from tfcil import classifier, losses, training
from tfcil.components.facts import MethodFacts
from tfcil.components.sections import NonNegative, Positive
from tfcil.methods.shared import frozen_network
from tfcil.training import samplers
from tfcil.training.on_features import on_features, unvaried, with_network
from tfcil.training.phase import CLASSIFICATION, Learned, Term

FACTS = MethodFacts(
    any_loss=False, own_losses=("ce",), keeps_statistics=True, removes_prior="its units"
)
UNITS = "units"


class Options(frozen_network.Options):
    """Options of unit_replay."""

    unit_weight: NonNegative = Field(
        1.0, description="factor of each unit; 1: that of all images of one new class"
    )
    kappa: NonNegative = Field(
        1.0,
        description="longest gradient by which new images move the vector of an old class, as a "
        "multiple of that of the units",
    )
    clip_norm: Positive = Field(1.0, description="longest gradient of the head as a whole")


def learn(task, train, options):
    """Trains the head on the features of new images and on the units."""
    units = task.statistics.get(UNITS, ())
    frozen_network.check_kept(task, len(units), "unit_replay")
    network = frozen_network.frozen_teacher(task, train, options)
    new = dataclasses.replace(task.new(), recipe=unvaried(task.recipe), reserved=None)
    new = on_features(new, network)
    if task.num_old:
        replayed = with_units(new, units)
        head = train(replayed, replay_phase(replayed, options))
    elif options.adapt:
        head = network  # trained with it
    else:
        head = train(new, new.phase([new.classification()]))
    return Learned(with_network(network, head), {UNITS: np.stack([*units, *means(new)])})


def means(new):
    """Computes the mean feature of each new class, a list of (d,) float32."""
    features = new.images[:, 0, 0]
    classes = range(new.num_old, new.num_seen)
    return [features[new.labels == label].mean(axis=0) for label in classes]


def with_units(new, units):
    """Returns the task on features with one more image of each old class: its unit, (old, d)."""
    return dataclasses.replace(
        new,
        images=np.concatenate([new.images, units[:, None, None]]),
        labels=np.concatenate([new.labels, np.arange(new.num_old)]),
    )


def replay_phase(task, options):
    """Returns the training of the head with all units in every step.

    Args:
        task: the `Task` on features, with one image of each old class.
        options: `Options`.
    """
    student, apart = classifier.with_gradients_apart(task.grown(), task.num_old)
    head = student.get_layer(classifier.LOGITS)
    is_old = task.labels < task.num_old
    new = samplers.Shuffled(np.flatnonzero(~is_old), task.recipe.batch_size)
    old = samplers.Shuffled(np.flatnonzero(is_old), task.num_old, number=1)
    return task.phase(
        replay_terms(task, options.unit_weight),
        student,
        sampler=samplers.Joined((new, old)),
        transforms=(
            training.LimitedPush(head, apart, options.kappa),
            training.ClippedNorm(options.clip_norm),
        ),
    )


def replay_terms(task, unit_weight):
    """Returns the cross-entropy of new images and that of units, as if classes were equally large.

    The gradient by which new images move old classes goes to the output `old_logits`.

    Args:
        task: the `Task`.
        unit_weight: factor of the units.
    """

    def values_of(old):
        def values(batch):
            from keras import ops

            logits, labels = batch.student["logits"], batch.labels
            if not old:
                apart = batch.student[classifier.OLD_LOGITS]
                logits = ops.concatenate([apart, logits[:, task.num_old :]], axis=-1)
            own = losses.softmax_crossentropy(
                labels, logits, label_smoothing=task.recipe.label_smoothing
            )
            return ops.where((labels < task.num_old) == old, own, 0.0)

        return values

    def movement(preparation):
        head = preparation.classifier.get_layer(classifier.LOGITS)
        return training.HeadMovement(head, task.num_old)

    def number_of(old):
        return lambda labels: np.count_nonzero((labels < task.num_old) == old)

    share = task.num_old / task.num_seen
    read = ("logits", classifier.OLD_LOGITS)
    return [
        Term(CLASSIFICATION, 1 - share, values_of(False), number_of(False), read),
        Term(UNITS, unit_weight * share, values_of(True), number_of(True), before_step=movement),
    ]
