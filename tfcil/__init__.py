"""tfcil: class-incremental learning for Keras image classifiers, with balanced softmax.

Importing it costs nothing: its parts, and with them Keras, are loaded when they are first used.
"""

import os

import lazy_loader

# TensorFlow reads it when it is imported. By itself it leaves oneDNN off on processors that have
# AVX2 alone, where a training step then takes 1.7 times as long.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["backbones", "evaluation", "exemplars", "layers", "losses", "methods", "scenario"],
    submod_attrs={
        "config.params": ["load_params"],
        "learning": ["IncrementalClassifier", "learn"],
        "learning.last_layer": ["retrain_head"],
    },
)
