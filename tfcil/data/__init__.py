"""Data sets by name, and the stored images of the tasks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"datasets": ["load_dataset", "open_dataset"]}
)
