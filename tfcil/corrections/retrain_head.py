"""retrain_head: the head fitted anew, as a logistic regression on equally many images per class.

The features are standardised, regressions on several balanced subsets are averaged, and the result
is folded into the linear head of the saved model. The backbone stays as it is.

Reference: Kirichenko et al., "Last Layer Re-Training is Sufficient for Robustness to Spurious
Correlations" (DFR, arXiv 2204.02937), with classes as groups.
"""

from typing import Literal

import numpy as np
from pydantic import Field

from tfcil import classifier
from tfcil.components import facts
from tfcil.components.sections import Fraction, Positive, PositiveInt
from tfcil.corrections.balanced_finetuning import balanced_images
from tfcil.corrections.shared.draws import drawn_of_each
from tfcil.corrections.shared.every_class import check_every_class
from tfcil.corrections.shared.logistic import cross_entropy, fit_logistic

FACTS = facts.CorrectionFacts(heads=("linear",), needs_memory=True)
# 1 / C of the official code. Weaker penalties are often better for this task, and worse for the
# next one, which such a head teaches.
STRENGTHS = (1.0, 1 / 0.7, 1 / 0.3, 10.0, 1 / 0.07, 1 / 0.03, 100.0)
UNCHOSEN = 1.0  # strength where no class has an image to spare


class Options(facts.Options):
    """Options of retrain_head."""

    source: Literal["memory", "memory+new", "held_out"] = Field(
        "memory+new",
        description="images to fit on: the exemplars and as many of each new class, chosen by "
        "herding; every image, in balanced draws; or images that the training does not see",
    )
    held_out: Fraction = Field(
        0.2, description="part of each class that source held_out sets aside"
    )
    penalty: Literal["l1", "l2"] = Field("l2", description="of the weights")
    strength: Positive | None = Field(
        None,
        description="of the penalty, 1 / C of scikit-learn; null: chosen on half of the images, "
        "which the fit for the choice does not see",
    )
    repeats: PositiveInt = Field(10, description="balanced draws whose heads are averaged")
    first_task: bool = Field(
        False, description="also after the first task, for classes of unequal size"
    )


def check(task, options) -> None:
    """Refuses a task in which a class has no image."""
    check_every_class(task, "retrain_head")


def reserve(task, options):
    """Draws a part of each class for the source `held_out`; none of a class of one image."""
    if options.source != "held_out":
        return np.array([], int)
    sizes = [max(round(options.held_out * count), 1) * (count > 1) for count in task.class_counts]
    return drawn_of_each(task, sizes)


def correct(task, train, trained, options):
    """Fits the head anew on the features of the source."""
    features, labels = source_features(task, trained, options.source)
    size = images_per_class(labels, task.num_old)
    head = refitted_head(features, labels, size, options, task.generator)
    trained.get_layer(classifier.LOGITS).set_weights(head)
    return trained


def source_features(task, trained, source):
    """Returns the features (n, d) and labels (n,) of the images to fit on; each class has some."""
    features, labels = task.features(trained), task.labels
    if source == "memory":
        chosen = np.unique(balanced_images(labels, task.num_old, features))
        return features[chosen], labels[chosen]
    if source == "memory+new":
        return features, labels
    held = task.reserved
    only = ~np.isin(labels, held.labels)  # a class of one image was learned from it
    return (
        np.concatenate([held.features(trained), features[only]]),
        np.concatenate([held.labels, labels[only]]),
    )


def images_per_class(labels, num_old=0) -> int:
    """Returns the images that a class has in a balanced subset, as in balanced_finetuning.

    Args:
        labels: (n,) integers; each class has some.
        num_old: number of old classes, whose largest one counts; 0: the smallest class counts.
    """
    counts = np.bincount(labels)
    return int(counts[:num_old].max() if num_old else counts.min())


def balanced_subset(labels, size, generator):
    """Draws the indices of `size` images of each class; one with fewer repeats its own."""
    return np.concatenate(
        [
            np.resize(generator.permutation(np.flatnonzero(labels == label)), size)
            for label in range(labels.max() + 1)
        ]
    )


def refitted_head(features, labels, size, options, generator):
    """Computes the linear head that is fitted on balanced subsets.

    Args:
        features: (n, d) float32, as the head receives them.
        labels: (n,) integers; each class has some.
        size: images of a class in a subset.
        options: the `Options`; `penalty`, `strength` and `repeats` are read.
        generator: a `numpy.random.Generator`.

    Returns:
        The kernel (d, classes) and the bias (classes,), float32: the mean of the regressions, with
        the standardisation of the features folded in.
    """
    features = np.asarray(features, "float64")
    mean, scale = features.mean(axis=0), features.std(axis=0)
    # A feature that never changes tells nothing, and its deviation divides nothing.
    scale = np.where(scale > 1e-6 * np.abs(features).max(initial=1e-12), scale, 1.0)
    standard = (features - mean) / scale
    strength = options.strength or chosen_strength(
        standard, labels, size, options.penalty, generator
    )
    # Where no class has images to spare, every subset is the same.
    repeats = options.repeats if np.bincount(labels).max() > size else 1
    kernel, bias = 0.0, 0.0
    for _ in range(repeats):
        fitted = _fit(standard, labels, size, options.penalty, strength, generator)
        kernel, bias = kernel + fitted[0] / repeats, bias + fitted[1] / repeats
    folded = kernel / scale[:, None]
    return folded.astype("float32"), (bias - mean @ folded).astype("float32")


def _fit(features, labels, size, penalty, strength, generator):
    chosen = balanced_subset(labels, size, generator)
    return fit_logistic(
        features[chosen], labels[chosen], labels.max() + 1, penalty=penalty, strength=strength
    )


def chosen_strength(features, labels, size, penalty, generator) -> float:
    """Computes the strength whose fit on half of each class has the least loss on the other half.

    The loss is the mean over classes of their mean cross-entropy. The only image of a class is in
    the half to fit on.

    Args:
        features: (n, d), standardised.
        labels, size, penalty, generator: as of `refitted_head` and `fit_logistic`.

    Returns:
        One of `STRENGTHS`, or `UNCHOSEN` where every class has one image alone.
    """
    shuffled = [
        generator.permutation(np.flatnonzero(labels == label)) for label in range(labels.max() + 1)
    ]
    fit = np.concatenate([own[: (len(own) + 1) // 2] for own in shuffled])
    judged = np.concatenate([own[(len(own) + 1) // 2 :] for own in shuffled])
    if not len(judged):
        return UNCHOSEN
    fit = fit[balanced_subset(labels[fit], (size + 1) // 2, generator)]
    losses = []
    for strength in STRENGTHS:
        kernel, bias = fit_logistic(
            features[fit], labels[fit], labels.max() + 1, penalty=penalty, strength=strength
        )
        losses.append(balanced_loss(features[judged] @ kernel + bias, labels[judged]))
    return STRENGTHS[int(np.argmin(losses))]


def balanced_loss(logits, labels):
    """Computes the mean over the classes of their mean cross-entropies.

    Args:
        logits: (n, classes).
        labels: (n,) integers; classes without one don't count.
    """
    own = [cross_entropy(logits[labels == k], labels[labels == k])[0] for k in np.unique(labels)]
    return np.mean(own)
