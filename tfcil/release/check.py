"""Compares the evaluation of a model with that of an earlier one: what old classes lost."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.stats import hypergeom

from tfcil.errors import UserError
from tfcil.release.model_files import class_names, read_evaluation


@dataclass(frozen=True)
class Limits:
    """What a model may lose. Falls and the calibration error are in percentage points.

    Attributes:
        class_drop: the largest fall of one old class.
        total_drop: the largest fall over all old classes.
        calibration: the largest expected calibration error.
        level: a class fails only where chance gives such a fall with a smaller probability.

    Raises:
        UserError: a value is out of range.
    """

    class_drop: float = 10.0
    total_drop: float = 5.0
    calibration: float = 15.0
    level: float = 0.01

    def __post_init__(self):
        for name in ("class_drop", "total_drop", "calibration"):
            value = getattr(self, name)
            if not 0 <= value <= 100:
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{option}: expected points of 0 to 100. Received: {name}={value}")
        if not 0 < self.level < 1:
            raise UserError(f"--level: expected a number in (0, 1). Received: level={self.level}")


@dataclass(frozen=True)
class Fall:
    """Correct answers of two models on the same test images.

    Attributes:
        name: a class, a task, or all old classes.
        images: how many test images.
        before: how many of them the earlier model classifies correctly.
        after: how many of them the new model classifies correctly.
    """

    name: str
    images: int
    before: int
    after: int

    @property
    def points(self) -> float:
        """The fall of accuracy in percentage points; 0 without images."""
        return 100 * (self.before - self.after) / max(self.images, 1)

    @cached_property
    def chance(self) -> float:
        """The probability of such a fall or a greater one by chance alone."""
        return chance_of_fall(self.images, self.before, self.after)


def chance_of_fall(images, before, after) -> float:
    """Computes the p-value of Fisher's exact test, one-sided: no fall against a fall.

    If the models were equally good, the correct answers of both would be spread at random over
    twice `images` answers. The value is the probability that the new model has `after` of them or
    fewer. As both saw the same images, and mostly agree, chance varies less than that: the value
    errs to the side of "may be chance".

    Args:
        images: int, number of test images.
        before, after: int, correct answers of the earlier and of the new model.

    Returns:
        float in 0..1.

    Reference:
        Fisher, The Logic of Inductive Inference (1935).
    """
    return float(hypergeom.cdf(after, 2 * images, before + after, images))


@dataclass(frozen=True)
class Check:
    """What a model lost on the classes of an earlier one.

    Attributes:
        total: the `Fall` over all old classes.
        tasks: the `Fall` of each old task.
        classes: the `Fall` of each old class, in the order of arrival.
        calibration: expected calibration error of the new model in points; `None`: undefined.
        split: `test` or `validation`, the images of all figures.
        limits: the `Limits`.
    """

    total: Fall
    tasks: list[Fall]
    classes: list[Fall]
    calibration: float | None
    split: str
    limits: Limits

    def beyond(self) -> list[Fall]:
        """Returns the classes that lost more than the limit, the greatest fall first."""
        found = [one for one in self.classes if one.points > self.limits.class_drop]
        return sorted(found, key=lambda one: -one.points)

    def failed_classes(self) -> list[Fall]:
        """Returns the classes that lost more than the limit, and hardly by chance."""
        return [one for one in self.beyond() if one.chance < self.limits.level]

    def not_judged(self) -> list[Fall]:
        """Returns the classes with too few images: losing every correct answer may be chance."""
        worst = [Fall(one.name, one.images, one.before, 0) for one in self.classes]
        return [
            fall
            for fall in worst
            if not fall.images
            or (fall.points > self.limits.class_drop and fall.chance >= self.limits.level)
        ]

    def failures(self) -> list[str]:
        """Returns why the model fails, a sentence each."""
        limits, said = self.limits, []
        if failed := self.failed_classes():
            names = ", ".join(one.name for one in failed[:10])
            more = f" and {len(failed) - 10} more" if len(failed) > 10 else ""
            said.append(f"lost more than {limits.class_drop:g} points: {names}{more}")
        if self.total.points > limits.total_drop:
            said.append(
                f"the old classes lost {self.total.points:.1f} points, "
                f"more than {limits.total_drop:g}"
            )
        if self.calibration is None:
            said.append("the calibration error is undefined: a logit is not finite")
        elif self.calibration > limits.calibration:
            said.append(
                f"the calibration error is {self.calibration:.1f} points, "
                f"more than {limits.calibration:g}"
            )
        return said


def check_model(model, against, limits) -> Check:
    """Compares two models by their evaluations.

    Args:
        model: path of the new model, models/TASK.keras.
        against: path of the earlier model. All its classes are old classes.
        limits: the `Limits`.

    Raises:
        UserError: a model was not evaluated, or they were not evaluated on the same classes and
            images.
    """
    new, old = read_evaluation(model), read_evaluation(against)
    names = class_names(against)
    images = _comparable(new, old, class_names(model)[: len(names)] == names, model, against)
    before = np.diagonal(old["confusion"])
    after = np.diagonal(new["confusion"])[: len(before)]
    rows = zip(names, *np.array([images, before, after]).tolist(), strict=True)
    error = new["measures"].get("calibration_error")
    return Check(
        total=Fall("all old classes", *map(int, (images.sum(), before.sum(), after.sum()))),
        tasks=_tasks(new, old),
        classes=[Fall(*row) for row in rows],
        calibration=None if error is None else 100 * error,
        split=old["split"],
        limits=limits,
    )


def _comparable(new, old, same_names, model, against) -> np.ndarray:
    """Returns the number of test images of each old class, which both models must have seen."""
    images = np.sum(old["confusion"], axis=1)
    same_images = np.array_equal(images, np.sum(new["confusion"], axis=1)[: len(images)])
    same_tasks = new["tasks"][: len(old["tasks"])] == old["tasks"]
    if not (same_names and same_tasks and same_images and new["split"] == old["split"]):
        raise UserError(
            "--against: expected a model whose classes and evaluation images are the first ones of "
            f"{model}. Received: against={against}"
        )
    return images


def _tasks(new, old) -> list[Fall]:
    from tfcil.evaluation.registry import primary

    rule = primary()
    hits = zip(
        old["tasks"], old["images"], old["correct"][rule], new["correct"][rule], strict=False
    )
    return [Fall(f"task {key}", *counts) for key, *counts in hits]
