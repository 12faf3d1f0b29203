"""Networks from images to features: tfcil's own, pretrained ones, and those of your files.

Keras is imported when the first of them is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"registry": ["apply", "build", "normalises_itself"]}
)
