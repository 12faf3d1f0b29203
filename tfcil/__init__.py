"""tfcil: class-incremental learning for Keras image classifiers, with balanced softmax.

Importing it costs nothing: its parts, and with them Keras, are loaded when they are first used.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["backbones", "evaluation", "exemplars", "layers", "losses", "methods", "scenario"],
    submod_attrs={
        "config.params": ["load_params"],
        "learning": ["IncrementalClassifier", "learn"],
    },
)
