"""A probability below which the class of an image counts as unknown, and what it costs."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from tfcil.errors import UserError
from tfcil.release.held_out import held_out_images, later_images, logits_of


@dataclass(frozen=True)
class Rejection:
    """A threshold and what it does to held-out images.

    Attributes:
        threshold: an image is unknown if its highest probability is below, in 0..1.
        known: number of held-out images of known classes.
        lost: how many of them are unknown by the threshold.
        later: number of held-out images of classes that arrive later.
        caught: how many of those are unknown by the threshold.
    """

    threshold: float
    known: int
    lost: int
    later: int
    caught: int

    def __str__(self):
        price = f"rejects {self.lost} of {self.known} held-out images of known classes"
        gain = (
            f"catches {self.caught} of {self.later} images of later classes "
            f"({100 * self.caught / self.later:.0f}%)"
            if self.later
            else "no class arrives later, so what it catches is not known"
        )
        return f"unknown below {100 * self.threshold:.1f}%: {price}; {gain}"


def rejection(classifier, path, share) -> Rejection:
    """Chooses the threshold of a classifier on the held-out images of its experiment.

    Args:
        classifier: a `tfcil.predict.Classifier`.
        path: where its model lies, models/TASK.keras.
        share: the share of images of known classes that may be rejected.

    Raises:
        UserError: the share is not in (0, 1), or there are no or too few held-out images.
    """
    images, _ = held_out_images(path, "--reject")
    later = later_images(path)
    known = confidences(logits_of(classifier.model, images))
    unknown = () if later is None else confidences(logits_of(classifier.model, later))
    threshold = threshold_of(known, share)
    lost, caught = (int(np.sum(np.less(one, threshold))) for one in (known, unknown))
    return Rejection(threshold, len(known), lost, len(unknown), caught)


def threshold_of(confidences, share) -> float:
    """Computes the largest threshold that rejects a new image of a known class rarely enough.

    Of n + 1 images in random order, the last one is below the k-th smallest confidence of the
    others with a probability of k / (n + 1) at most: k is the largest number for which this is
    within the share.

    Args:
        confidences: float array (n,), of held-out images of known classes.
        share: float in (0, 1).

    Returns:
        float. An image is rejected if its confidence is below.

    Raises:
        UserError: the share is not in (0, 1), or so small that k is 0.

    Reference:
        The highest probability as the score: Hendrycks and Gimpel (arXiv 1610.02136). The rank:
        Vovk et al., Algorithmic Learning in a Random World (2005), inductive conformal prediction.
    """
    if not 0 < share < 1:
        raise UserError(f"--reject: expected a share in (0, 1). Received: reject={share}")
    rank = int(share * (len(confidences) + 1) + 1e-9)  # 0.07 * 100 is less than 7
    if rank == 0:
        raise UserError(
            f"--reject: expected {int(np.ceil(1 / share)) - 1} held-out images at least for this "
            f"share. Received: reject={share}, {len(confidences)} images"
        )
    return float(np.sort(confidences)[rank - 1])


def confidences(logits) -> np.ndarray:
    """Computes the highest probability of each image, (n,), from logits (n, classes)."""
    return np.exp(logits.max(axis=1) - logsumexp(logits, axis=1))
