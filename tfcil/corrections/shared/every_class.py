"""Refuses a task in which a class has no image."""

import numpy as np

from tfcil.errors import UserError


def check_every_class(task, correction) -> None:
    """Raises a `UserError` where a class has no image; `correction` is the name to tell."""
    empty = np.flatnonzero(np.array(task.class_counts) == 0)
    if len(empty):
        raise UserError(
            f"{correction} needs images of every class: expected memory of 1 or more per class. "
            f"Received: no exemplar of {len(empty)} classes"
        )
