"""Predictions of one model on the test images of all seen classes."""

import numpy as np

from tfcil.classifier import expose
from tfcil.classifier.inference import forward
from tfcil.exemplars import class_means, nearest_mean


def predict(model, images, memory) -> dict[str, np.ndarray]:
    """Predicts the class of each image.

    Args:
        model: a classifier over all seen classes.
        images: (n, height, width, channels) raw test images.
        memory: the `ExemplarMemory` after the model's task.

    Returns:
        `cnn`: (n,) argmax of the logits; `nme`: (n,) nearest mean of exemplars, only where every
        class has an exemplar.
    """
    model = expose(model, "logits", "features")
    outputs = forward(model, images)
    predictions = {"cnn": outputs["logits"].argmax(axis=1)}
    num_classes = outputs["logits"].shape[1]
    if np.all(memory.counts(num_classes) > 0):
        exemplars = forward(model, memory.images)["features"]
        means = class_means(exemplars, memory.labels, num_classes)
        predictions["nme"] = nearest_mean(outputs["features"], means)
    return predictions
