"""Divides a model's logits by one number, so that its probabilities tell how often it is right."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

import keras
import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from tfcil.classifier import LOGITS
from tfcil.errors import UserError
from tfcil.evaluation.registry import all_measures
from tfcil.release.held_out import held_out_images, logits_of

LARGEST = 1000.0  # temperatures lie between 1 / LARGEST and LARGEST


@dataclass(frozen=True)
class Calibration:
    """The temperature of a model, and what it is good for.

    Attributes:
        temperature: by which logits are divided.
        images: number of held-out images.
        before, after: expected calibration error on them, in 0..1. For `after`, each half of the
            images has the temperature that the other half gives.
    """

    temperature: float
    images: int
    before: float
    after: float

    def __str__(self):
        before, after = 100 * self.before, 100 * self.after
        return (
            f"temperature {self.temperature:.3f}: calibration error {before:.1f} -> {after:.1f} "
            f"points on {self.images} held-out images"
        )


def calibrated(classifier, path):
    """Calibrates a classifier on the held-out images of its experiment.

    Args:
        classifier: a `tfcil.predict.Classifier`. A linear head is changed in place.
        path: where its model lies, models/TASK.keras.

    Returns:
        The classifier with divided logits, and its `Calibration`.

    Raises:
        UserError: there are no held-out images, or they give no temperature.
    """
    images, labels = held_out_images(path, "--calibrate")
    logits = logits_of(classifier.model, images)
    found = calibration(logits, labels)
    return replace(classifier, model=divided(classifier.model, found.temperature)), found


def calibration(logits, labels) -> Calibration:
    """Computes the `Calibration` from logits (n, classes) of held-out images and labels (n,)."""
    half = np.arange(len(labels)) % 2 == 0
    crossed = np.empty_like(logits)
    for one in (half, ~half):
        crossed[one] = logits[one] / fit_temperature(logits[~one], labels[~one])
    error = all_measures()["calibration_error"].compute
    before, after = (
        error(SimpleNamespace(logits=values, labels=labels)) for values in (logits, crossed)
    )
    return Calibration(fit_temperature(logits, labels), len(labels), before, after)


def fit_temperature(logits, labels) -> float:
    """Computes the temperature T for which the cross-entropy of softmax(logits / T) is smallest.

    Args:
        logits: float array (n, classes).
        labels: int array (n,).

    Raises:
        UserError: every image is classified correctly, so T would be 0 and every answer certain;
            the images give another T without bound; or a logit is not finite.

    Reference:
        Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599), section 4.2.
    """
    if not np.isfinite(logits).all():
        raise UserError("--calibrate: expected finite logits. Received: a model that diverged")
    below_truth = logits - np.take_along_axis(logits, labels[:, None], axis=1)

    def cross_entropy(log_temperature):
        return logsumexp(below_truth / np.exp(log_temperature), axis=1).mean()

    bound = np.log(LARGEST)
    best = minimize_scalar(cross_entropy, bounds=(-bound, bound), options={"xatol": 1e-6}).x
    wrong = int((below_truth.max(axis=1) > 0).sum())
    if wrong == 0 or abs(best) > 0.99 * bound:
        raise UserError(
            "--calibrate: expected held-out images that the model mostly, but not always "
            f"classifies correctly, in each half of them. Received: {wrong} of {len(labels)} wrong"
        )
    return float(np.exp(best))


def divided(model, temperature):
    """Returns a classifier whose logits are divided by a number.

    The weights of a linear head are divided, in place; behind another head comes a layer of Keras.
    """
    head = model.get_layer(LOGITS)
    if isinstance(head, keras.layers.Dense):
        head.set_weights([weights / temperature for weights in head.get_weights()])
        return model
    last = keras.layers.Rescaling(1 / temperature, dtype="float32", name="temperature")
    return keras.Model(model.input, last(model.output), name=model.name)
