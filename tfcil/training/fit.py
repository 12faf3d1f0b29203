"""The loop over epochs and steps of one training."""

from dataclasses import dataclass, field

import keras
import numpy as np

from tfcil.errors import UserError
from tfcil.training.meta import MetaCoefficient
from tfcil.training.schedules import TabulatedRates, learning_rates


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
    """

    stage: str
    student: keras.Model
    teacher: keras.Model | None
    terms: list
    transforms: list
    recipe: object
    plan: object
    meta: MetaCoefficient | None = field(default=None)


def fit(training, images, labels, on_epoch=None, epochs_before=0):
    """Trains the student in place.

    Args:
        training: a `Fit`.
        images: (n, height, width, channels) uint8.
        labels: (n,) their classes.
        on_epoch: called after each epoch with its row of the curve.
        epochs_before: epochs of the stages before.

    Returns:
        The curve: a list with a dictionary per epoch.

    Raises:
        UserError: where the loss stops being finite.
    """
    rates = learning_rates_of(training.recipe, training.plan)
    engine = make_engine(training, rates)
    labels = np.asarray(labels, "int32")
    curve = []
    for epoch in range(training.plan.epochs):
        steps = list(_steps(training, engine, rates, epoch, images, labels))
        # Read once per epoch: reading a value waits for the step that makes it.
        means = {name: float(np.mean([float(step[name]) for step in steps])) for name in steps[0]}
        if not np.isfinite(means["loss"]):
            raise UserError(
                f"The loss stopped being finite in epoch {epoch + 1} of {training.plan.epochs}: "
                "expected a learning rate that this network bears. "
                f"Received: loss={means['loss']}"
            )
        seen = len(steps) * training.plan.batch_size
        row = {"epoch": epochs_before + epoch + 1, "stage": training.stage, "images": seen}
        curve.append(row | means)
        if training.meta:
            curve[-1]["alpha"] = training.meta.value
        if on_epoch:
            on_epoch(curve[-1])
    engine.write_back()
    return curve


def _steps(training, engine, rates, epoch, images, labels):
    first = training.plan.first_step(epoch)
    for step, (indices, draws) in enumerate(training.plan.epoch(epoch), first):
        batch = (images[indices], labels[indices], draws)
        sizes = np.array([term.size(batch[1]) for term in training.terms], "float32")
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


def make_engine(training, rates):
    """Makes what takes the steps of a `Fit` at the given learning rates."""
    optimizer = keras.optimizers.SGD(TabulatedRates(rates), momentum=training.recipe.momentum)
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
