"""Keras layers of class-incremental learning."""

from tfcil.layers.heads import CosineDense, LocalSimilarity

__all__ = ["CosineDense", "LocalSimilarity"]
