"""balanced_finetuning: one more training, in which every class appears equally often.

"Balanced" means here and everywhere: in an epoch, each class gives the same number of images. That
number is the largest number of exemplars of a class, or, without old classes, the smallest number
of images. A class with more images gives its best by herding, one with fewer repeats its own.

The published forms are `eeil` (the whole network, with distillation), `lucir` and `podnet` (the
head), and `der` (a new head): their files say which. After another method the whole network is
trained on cross-entropy.
"""

import dataclasses

import numpy as np
from pydantic import Field

from tfcil.classification import ce
from tfcil.components import facts
from tfcil.components.recipe import changed_recipe, recipe_options
from tfcil.errors import UserError
from tfcil.exemplars import herding

FACTS = facts.CorrectionFacts(needs_memory=True)


class Options(recipe_options(epochs=20, learning_rate=0.05, schedule="constant", warmup=0.0)):
    """Options of balanced_finetuning: its recipe, with the published one of PODNet as default."""

    first_task: bool = Field(
        False, description="also after the first task, for classes of unequal size"
    )


def check(task, options) -> None:
    """Refuses a task without exemplars."""
    if task.num_old and not any(task.class_counts[: task.num_old]):
        raise UserError(
            "balanced_finetuning balances new classes against exemplars: expected memory of 1 or "
            "more. Received: no exemplar"
        )


def correct(task, train, trained, options):
    """Trains the classifier, or its head, on balanced images."""
    chosen = balanced_images(task.labels, task.num_old, task.features(trained))
    recipe = changed_recipe(task.recipe, options)
    balanced = dataclasses.replace(task.only(chosen), recipe=recipe)
    if task.finetuning:
        return train(balanced, task.finetuning(balanced, trained))
    return train(balanced, balanced.phase([ce.term(balanced)], trained, "balancing"))


def balanced_images(labels, num_old, features):
    """Chooses images so that every class comes equally often.

    Args:
        labels: (n,) of the images.
        num_old: number of old classes.
        features: (n, d) by which herding chooses among the images of a class.

    Returns:
        Indices of the images; those of a class with too few are repeated.
    """
    counts = np.bincount(labels)
    size = counts[:num_old].max() if num_old else counts[counts > 0].min()
    chosen = []
    for label in np.flatnonzero(counts):
        own = np.flatnonzero(labels == label)
        if len(own) > size:
            own = own[herding(features[own], size)]
        chosen.append(np.resize(own, size))
    return np.concatenate(chosen)
