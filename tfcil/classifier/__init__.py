"""The classifier (backbone and head) as one flat, plain Keras model: made, grown, saved, opened.

Raw images go in (uint8 or floats of 0 to 255); the layer `features` is the pooled penultimate
output, the layer `logits` the last. Files hold Keras's own layers only, so anybody opens them with
`keras.models.load_model` and without tfcil.
"""

from tfcil.classifier.adopt import adopted, adopted_backbone
from tfcil.classifier.files import open_classifier, save_classifier
from tfcil.classifier.growth import branches, copied, drawn, expanded, freeze, frozen_layers, grown
from tfcil.classifier.heads import Head, plain
from tfcil.classifier.model import FEATURES, LOGITS, expose, num_classes, takes, untrained

__all__ = [
    "FEATURES",
    "LOGITS",
    "Head",
    "adopted",
    "adopted_backbone",
    "branches",
    "copied",
    "drawn",
    "expanded",
    "expose",
    "freeze",
    "frozen_layers",
    "grown",
    "num_classes",
    "open_classifier",
    "plain",
    "save_classifier",
    "takes",
    "untrained",
]
