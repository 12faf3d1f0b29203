"""Refuses arguments that an `IncrementalClassifier` cannot use, and says what to do instead."""

import warnings

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


def check_exemplars(kept, settings) -> None:
    """Warns where a class has no exemplars, or raises where a component needs them.

    Args:
        kept: number of exemplars of each known class, by name.
        settings: the `Settings`.
    """
    missing = [name for name, count in kept.items() if not count]
    if not (missing and settings.budget):
        return
    what = (
        "exemplars of every known class: call remember(images, labels). "
        f"Received: none of {listed(missing)}"
    )
    if settings.needs_exemplars:
        raise UserError(f"The method or its correction needs {what}")
    if not settings.keeps_statistics:
        warnings.warn(f"Old classes are kept best with {what}", stacklevel=3)


def check_statistics(classes, statistics, before, settings) -> None:
    """Refuses a method that keeps statistics unless it has learned the tasks before.

    Args:
        classes: names of the known classes.
        statistics: those that are kept of them.
        before: the `Settings` so far.
        settings: those of the task.
    """
    if not (classes and settings.keeps_statistics):
        return
    so_far, method = before.choice().method, settings.choice().method
    if (so_far.spelling, so_far.options) != (method.spelling, method.options):
        raise UserError(
            f"method.name={method.spelling} learns from statistics of all classes: "
            "expected the same method and options for every task. "
            f"Received: a change, after method.name={so_far.spelling}"
        )
    if not statistics:
        raise UserError(
            f"method.name={method.spelling} learns from statistics of all classes: "
            "call remember(images, labels) before learn. "
            f"Received: none of {listed(classes)}"
        )


def check_brought(**settings) -> None:
    """Refuses settings of a network by name for one that is given as a `keras.Model`."""
    if any(value is not None for value in settings.values()):
        raise UserError(
            f"Expected no {', '.join(settings)} with a keras.Model as backbone: it brings them. "
            f"Received: {', '.join(f'{name}={value}' for name, value in settings.items())}"
        )


def check_all(given, classes, statistics) -> None:
    """Refuses images for statistics that are kept already, or not of all known classes at once."""
    if statistics:
        raise UserError(
            "Expected known classes without statistics: those of all classes are kept already. "
            f"Received: images of {listed(given)}"
        )
    missing = [name for name in classes if name not in given]
    if missing:
        raise UserError(
            "Expected images of all known classes in one call: the head is computed from all. "
            f"Received: none of {listed(missing)}"
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
