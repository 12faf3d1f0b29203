"""The rule of iCaRL as a model."""

from dataclasses import replace

import keras
import numpy as np

from tfcil.classifier import FEATURES, LOGITS, expose
from tfcil.classifier.inference import forward
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory, class_means


def nearest_mean_classifier(model, memory):
    """Builds the model that predicts the nearest mean of exemplars (NME), as iCaRL does.

    Its logits are the cosines of an image's features with the mean of each class's exemplars; the
    largest belongs to the nearest mean.

    Args:
        model: a classifier.
        memory: the `ExemplarMemory` after its task.

    Returns:
        A `keras.Model` of Keras's own layers; it shares the backbone of `model`.

    Raises:
        UserError: where a class has no exemplar.
    """
    num_classes = model.output.shape[-1]
    missing = np.flatnonzero(memory.counts(num_classes) == 0)
    if len(missing):
        raise UserError(
            f"Expected exemplars of each of the {num_classes} classes. "
            f"Received: none of class {missing[0]}"
        )
    features = forward(expose(model, FEATURES), memory.images)[FEATURES]
    means = class_means(features, memory.labels, num_classes)
    head = keras.layers.Dense(num_classes, use_bias=False, dtype="float32", name=LOGITS)
    x = model.get_layer(FEATURES).output
    x = head(keras.layers.UnitNormalization(dtype="float32", name="unit_features")(x))
    head.set_weights([means.T])
    return keras.Model(model.input, x, name=model.name)


def by_nearest_mean(classifier, path):
    """Returns a `tfcil.predict.Classifier` that predicts by the exemplars in memory/TASK.npz."""
    memory = ExemplarMemory.load(path)
    return replace(classifier, model=nearest_mean_classifier(classifier.model, memory))
