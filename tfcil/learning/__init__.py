"""Learning task by task from arrays, without files: a function, and a class with a state."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"incremental": ["IncrementalClassifier"], "one_task": ["learn"]}
)
