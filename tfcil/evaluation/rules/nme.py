"""The class whose exemplars have the nearest mean feature (NME)."""

import numpy as np

from tfcil.evaluation.registry import Rule
from tfcil.exemplars import class_means, nearest_mean


def predict(evidence):
    """Predicts the class whose exemplars have the nearest mean of normalised features.

    Returns:
        int64 array `(n,)`, or `None` if a class has no exemplar.

    Reference:
        Rebuffi et al., iCaRL (arXiv 1611.07725), equation 2.
    """
    labels, num_classes = evidence.exemplar_labels, evidence.num_classes
    if not np.all(np.bincount(labels, minlength=num_classes) > 0):
        return None
    means = class_means(evidence.exemplar_features, labels, num_classes)
    return nearest_mean(evidence.features, means)


RULE = Rule("nearest mean of exemplars", predict)
