"""tfcil: class-incremental learning for Keras image classifiers, with balanced softmax."""

__version__ = "0.1.0"
