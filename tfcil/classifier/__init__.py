"""The classifier (backbone and head) as one flat, plain Keras model: made, grown, saved, opened.

It takes raw images (uint8 or floats of 0 to 255). Its layer `features` returns the pooled features,
its last layer, `logits`, the logits. Files hold Keras's own layers only: `keras.models.load_model`
opens them without tfcil.
Keras is imported when the first of them is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "adapter": [
            "adapter_of",
            "adapter_in_training",
            "context_of",
            "trained_adapter",
            "with_adapter",
        ],
        "adopt": ["adopted", "adopted_backbone", "head_and_features"],
        "apart": ["OLD_LOGITS", "with_gradients_apart"],
        "feature_cache": ["FeatureCache", "features_of"],
        "files": ["open_classifier", "save_classifier"],
        "freezing": [
            "classifier_of_features",
            "freeze_network",
            "frozen",
            "is_frozen",
            "network_of",
            "projection_of",
            "trainable_layers",
            "with_head",
        ],
        "growth": ["branches", "copied", "drawn", "expanded", "freeze", "frozen_layers", "grown"],
        "heads": ["head_layer", "plain", "read_head"],
        "model": ["FEATURES", "LOGITS", "expose", "num_classes", "resized", "takes"],
        "inference": ["forward"],
        "no_class": ["untrained"],
    },
)
