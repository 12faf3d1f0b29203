"""The methods by their names in params.yaml: one file each, and what several share.

Shared are `base` (what a method is made of), `classification` (the loss that `method.loss` names),
`distillation`, `expansion` (one more backbone), `head_weights` (a head's weights, computed) and
`corrections` (of a trained head).
"""

import importlib

from tfcil.methods.base import Batch, Increment, Method, Stage, Task, Term

__all__ = ["Batch", "Increment", "Method", "Stage", "Task", "Term", "method_named"]


def method_named(name: str) -> Method:
    """Returns the method of tfcil/methods/NAME.py."""
    return importlib.import_module(f"tfcil.methods.{name}").METHOD
