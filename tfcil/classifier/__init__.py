"""The classifier (backbone and head) as one flat, plain Keras model: made, grown, saved, opened.

Raw images go in (uint8 or floats of 0 to 255); the layer `features` is the pooled penultimate
output, the layer `logits` the last. Files hold Keras's own layers only, so anybody opens them with
`keras.models.load_model` and without tfcil.
Keras is imported when the first of them is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adopt": ["adopted", "adopted_backbone"],
        "files": ["open_classifier", "save_classifier"],
        "growth": ["branches", "copied", "drawn", "expanded", "freeze", "frozen_layers", "grown"],
        "heads": ["head_layer", "plain", "read_head"],
        "model": ["FEATURES", "LOGITS", "expose", "num_classes", "takes", "untrained"],
        "inference": ["forward"],
    },
)
