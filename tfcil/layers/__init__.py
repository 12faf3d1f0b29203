"""Keras layers of class-incremental learning; Keras is imported when the first one is used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={"case": ["ContextualScale"], "heads": ["CosineDense", "LocalSimilarity"]},
)
