"""The loop over epochs and steps of one training."""

from dataclasses import dataclass, field

import keras
import numpy as np

from tfcil.errors import UserError
from tfcil.training.meta import MetaCoefficient
from tfcil.training.schedules import TabulatedRates, learning_rates
from tfcil.training.strategy import take_over

CHECKED = 100  # steps after which one looks whether the loss is a number


@dataclass
class Fit:
    """One training: what `fit` needs beside the images.

    Args:
        stage: its name in the curve.
        student: model with a dictionary of outputs.
        teacher: likewise, frozen, or `None`.
        terms: list of `tfcil.methods.Term`.
        transforms: list of gradient transforms.
        recipe: section of params.yaml.
        plan: the `Plan` of its batches.
        meta: a `MetaCoefficient`, or `None`.
        number: of the stage, from 0.
    """

    stage: str
    student: keras.Model
    teacher: keras.Model | None
    terms: list
    transforms: list
    recipe: object
    plan: object
    meta: MetaCoefficient | None = field(default=None)
    number: int = 0


def fit(training, images, labels, on_epoch=None, epochs_before=0, checkpoint=None):
    """Trains the student in place.

    Args:
        training: a `Fit`.
        images: (n, height, width, channels) uint8.
        labels: (n,) their classes.
        on_epoch: called after each epoch with its row of the curve.
        epochs_before: epochs of the stages before.
        checkpoint: the task's `Checkpoint`, if it has one.

    Returns:
        The curve: a list with a dictionary per epoch.

    Raises:
        UserError: where the loss stops being finite.
    """
    rates = learning_rates_of(training.recipe, training.plan)
    optimizer = _optimizer(training, rates)
    kept = _variables(training, optimizer)
    curve = checkpoint.restore(training.number, kept) if checkpoint else []
    finished = take_over(kept, len(curve), training.plan)
    if training.meta:
        training.meta.go_on_from(training.plan.first_step(finished))
    engine = make_engine(training, optimizer)
    labels = np.asarray(labels, "int32")
    for row in curve if on_epoch else ():
        on_epoch(row)
    for epoch in range(finished, training.plan.epochs):
        steps = []
        for step in _steps(training, engine, rates, epoch, images, labels):
            steps.append(step)
            # Reading a value waits for the step that makes it: one of long ago is there already.
            if len(steps) % CHECKED == 0:
                _check_finite(float(steps[-CHECKED]["loss"]), epoch, training.plan.epochs)
        means = {name: float(np.mean([float(step[name]) for step in steps])) for name in steps[0]}
        _check_finite(means["loss"], epoch, training.plan.epochs)
        seen = len(steps) * training.plan.batch_size
        row = {"epoch": epochs_before + epoch + 1, "stage": training.stage, "images": seen}
        curve.append(row | means)
        if training.meta:
            curve[-1]["alpha"] = training.meta.value
        if checkpoint:
            engine.write_back()
            checkpoint.save(training.number, kept, curve)
        if on_epoch:
            on_epoch(curve[-1])
    engine.write_back()
    return curve


def _check_finite(loss, epoch, epochs):
    if not np.isfinite(loss):
        raise UserError(
            f"The loss stopped being finite in epoch {epoch + 1} of {epochs}: expected a learning "
            f"rate that this network bears. Received: loss={loss}"
        )


def _variables(training, optimizer):
    """All that a training changes: what the seeds of dropout layers have come to, too."""
    meta = training.meta.variables if training.meta else []
    return [*training.student.variables, *optimizer.variables, *meta]


def _steps(training, engine, rates, epoch, images, labels):
    first = training.plan.first_step(epoch)
    for step, (indices, draws) in enumerate(training.plan.epoch(epoch), first):
        sizes = np.array([term.size(labels[indices]) for term in training.terms], "float32")
        share = engine.share_of(len(indices))
        batch = (images[indices[share]], labels[indices[share]], draws[share])
        if training.meta is None:
            yield engine.step(*batch, sizes)
        else:
            engine.write_back()
            training.meta.update(*batch, rates[step])
            yield engine.step(*batch, sizes, training.meta.value)


def learning_rates_of(recipe, plan):
    """Computes the rate of each step of a plan, as its recipe says."""
    return learning_rates(
        plan.steps,
        plan.steps_per_epoch,
        recipe.learning_rate,
        recipe.schedule,
        recipe.warmup,
        recipe.milestones,
        recipe.decay,
    )


def _optimizer(training, rates):
    optimizer = keras.optimizers.SGD(TabulatedRates(rates), momentum=training.recipe.momentum)
    optimizer.build(training.student.trainable_variables)
    return optimizer


def make_engine(training, optimizer=None):
    """Makes what takes the steps of a `Fit`, with an optimizer that may be on its way already."""
    if optimizer is None:
        optimizer = _optimizer(training, learning_rates_of(training.recipe, training.plan))
    return _engine_class()(
        training.student,
        training.teacher,
        training.terms,
        training.transforms,
        optimizer,
        training.plan.batch_size,
        training.plan.augmentation,
    )


def _engine_class():
    if keras.backend.backend() == "jax":
        from tfcil.training.jax_engine import JaxEngine

        return JaxEngine
    from tfcil.training.tensorflow_engine import TensorFlowEngine

    return TensorFlowEngine
