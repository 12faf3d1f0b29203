"""tfcil: class-incremental learning for Keras image classifiers, with balanced softmax.

Importing it costs nothing: its parts, and with them Keras, are loaded when they are first used.
"""

import importlib

__version__ = "0.1.0"

_PARTS = ("backbones", "exemplars", "layers", "losses", "methods", "metrics", "scenario")
_NAMES = {
    "IncrementalClassifier": "tfcil.learning",
    "learn": "tfcil.learning",
    "load_params": "tfcil.params",
}

__all__ = [*_PARTS, *_NAMES]


def __getattr__(name):
    if name in _PARTS:
        return importlib.import_module(f"tfcil.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'tfcil' has no attribute {name!r}")


def __dir__():
    return [*globals(), *__all__]
