"""Refuses arguments that an `IncrementalClassifier` cannot use, and says what to do instead."""

from tfcil.backbones import normalises_itself
from tfcil.errors import UserError


def listed(names, most=5) -> str:
    """Writes the first class names for a message, and how many more there are."""
    shown = ", ".join(str(name)[:50] for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def refuse(names, expected) -> None:
    """Raises a `UserError` if `names` has any name: one that is not as `expected`."""
    if names:
        raise UserError(f"Expected {expected}. Received: {listed(names)}")


def check_names(names, count) -> None:
    """Refuses class names of a trained model unless each of its outputs has a different one."""
    if len(names) != count or len(set(names)) != count:
        raise UserError(
            f"Expected class_names: {count} different ones, one per output of the model. "
            f"Received: {len(names)} names, {len(set(names))} different: {listed(names)}"
        )


def check_new(names, known) -> None:
    """Refuses known classes, names of another type than theirs, and a first task of one class."""
    refuse(
        [name for name in names if name in known],
        "new classes only: a known class is not learned again, nor from more images",
    )
    if known and type(names[0]) is not type(known[0]):
        kind = type(known[0]).__name__
        raise UserError(
            f"Expected labels of the type so far, {kind} ({listed(known)}). "
            f"Received: {type(names[0]).__name__} ({listed(names)})"
        )
    if not known and len(names) < 2:
        raise UserError(
            f"Expected at least two classes in the first task. Received: {listed(names)}"
        )


def check_budget(budget, num_classes, or_zero=True) -> None:
    """Refuses a budget with less than one exemplar per class; 0 is allowed with `or_zero`."""
    if budget < num_classes and (budget or not or_zero):
        raise UserError(
            f"Expected a budget of at least one exemplar for each of the {num_classes} classes. "
            f"Received: budget={budget}"
        )


def check_range(images, backbone) -> None:
    """Refuses scaled images for a network that scales them itself."""
    if backbone is None or not normalises_itself(backbone):
        return
    if images.min() < 0 or (images.dtype != "uint8" and images.max() <= 1):
        raise UserError(
            f"Expected raw images of 0 to 255: {backbone} scales them itself. "
            f"Received: images of {images.min():g} to {images.max():g}"
        )
