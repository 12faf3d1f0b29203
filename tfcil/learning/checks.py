"""What a classifier that learns refuses, and what to do instead."""

from tfcil.backbones import normalises_itself
from tfcil.errors import UserError


def listed(names, most=5) -> str:
    """Returns the first of some class names for a message, and how many more there are."""
    shown = ", ".join(str(name)[:50] for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def checked_names(names, count) -> list:
    """Returns the names of the classes of a trained model, if each output has one of its own."""
    if len(names) != count or len(set(names)) != count:
        raise UserError(
            f"Expected class_names: {count} different ones, one per output of the model. "
            f"Received: {len(names)} names, {len(set(names))} different: {listed(names)}"
        )
    return names


def check_new(names, known) -> None:
    """Refuses classes that are known already, and names of another kind than those."""
    again = [name for name in names if name in known]
    if again:
        raise UserError(
            "Expected new classes only: of known ones the memory has images, and more of them are "
            f"not learned. Received: {listed(again)}"
        )
    if known and type(names[0]) is not type(known[0]):
        raise UserError(
            f"Expected labels of the kind known so far, {type(known[0]).__name__} "
            f"({listed(known)}). Received: {type(names[0]).__name__} ({listed(names)})"
        )
    if not known and len(names) < 2:
        raise UserError(
            "Expected at least two classes in the first task: with one there is nothing to tell "
            f"apart. Received: {listed(names)}"
        )


def check_known(names, known) -> None:
    """Refuses classes that are not known."""
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UserError(
            f"Expected classes that the classifier knows: {listed(known) or 'none so far'}. "
            f"Received: {listed(unknown)}"
        )


def check_unremembered(names) -> None:
    """Refuses classes, those among the given ones that have exemplars."""
    if names:
        raise UserError(
            "Expected classes without exemplars: those of the others are never chosen anew. "
            f"Received: {listed(names)}"
        )


def check_budget(budget, num_classes, may_be_none=True) -> None:
    """Refuses a budget that leaves every class without an exemplar, unless 0 is meant so."""
    if budget < num_classes and (budget or not may_be_none):
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
