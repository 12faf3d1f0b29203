"""Trains one task: a teacher, images and labels in, a fitted student out."""

import keras
import numpy as np

from tfcil.classifier import expose, grow, num_classes
from tfcil.errors import UserError
from tfcil.methods import METHODS, Increment, cross_entropy_term
from tfcil.training.batches import Plan
from tfcil.training.schedules import TabulatedRates, learning_rates
from tfcil.training.strategy import devices, synchronize_batch_norm
from tfcil.training.transforms import weight_decay


def train_task(open_teacher, images, labels, recipe, method, seed, strategy="none", on_epoch=None):
    """Teaches a model the classes it has no logits for yet.

    The first task is learned with plain cross-entropy: there is nothing to forget, and its classes
    are taken as they come. Later ones are learned by the method, with the teacher frozen in
    inference mode.

    Args:
        open_teacher: function without arguments that returns the model of the task before (or an
            untrained one); it is called where the models must be made.
        images: (n, height, width, channels) uint8: the new images and the exemplars.
        labels: (n,) ranks of their classes; the new ones follow those the teacher knows.
        recipe: section `base` or `increment` of params.yaml.
        method: section `method` of params.yaml, or `None` for plain cross-entropy.
        seed: of everything drawn.
        strategy: `"none"` or `"mirrored"`.
        on_epoch: called after each epoch with its row of the curve.

    Returns:
        The fitted student, and its curve: a list with a dictionary per epoch.

    Raises:
        UserError: where the labels don't fit the teacher, or the loss stops being finite.
    """
    with devices(strategy) as num_devices:
        teacher = open_teacher()
        increment = _increment(teacher, labels)
        plan = Plan(
            size=len(labels),
            batch_size=_batch_size(recipe.batch_size, len(labels), num_devices),
            epochs=recipe.epochs,
            seed=seed,
            task=increment.num_old,
            crop_padding=recipe.crop_padding,
            flip=recipe.flip,
        )
        student = grow(teacher, increment.num_new, np.random.default_rng([seed, plan.task, 2]))
        synchronize_batch_norm(student, strategy == "mirrored")
        engine = _engine(student, teacher, increment, plan, recipe, method)
        curve = _fit(engine, images, labels, plan, on_epoch)
        synchronize_batch_norm(student, False)
    if method and increment.num_old:
        METHODS[method.name].after_training(student, method, increment)
    return student, curve


def _batch_size(wanted, size, num_devices) -> int:
    """A batch is never larger than the training set, and each device has an equal share of it."""
    if wanted % num_devices:
        raise UserError(
            f"Expected a batch size that is a multiple of the {num_devices} devices. "
            f"Received: batch_size={wanted}"
        )
    return min(wanted, max(size // num_devices, 1) * num_devices)


def _increment(teacher, labels) -> Increment:
    num_old = num_classes(teacher)
    counts = np.bincount(labels)
    if len(counts) <= num_old:
        raise UserError(
            f"Expected labels from {num_old} on, the first that the model does not know. "
            f"Received: largest label={len(counts) - 1}"
        )
    empty = np.flatnonzero(counts[num_old:] == 0) + num_old
    if len(empty):
        raise UserError(f"Expected images of every new class. Received: none of class {empty[0]}")
    return Increment(num_old, len(counts) - num_old, tuple(counts.tolist()))


def _engine(student, teacher, increment, plan, recipe, method):
    if method and increment.num_old:
        spec = METHODS[method.name]
        terms, outputs = spec.terms(method, increment), spec.outputs
        teacher = expose(teacher, *outputs)
    else:
        terms, outputs, teacher = [cross_entropy_term()], ("logits",), None
    rates = learning_rates(
        plan.steps,
        plan.size / plan.batch_size,
        recipe.learning_rate,
        recipe.schedule,
        recipe.warmup,
        recipe.milestones,
        recipe.decay,
    )
    optimizer = keras.optimizers.SGD(TabulatedRates(rates), momentum=recipe.momentum)
    transforms = [weight_decay(recipe.weight_decay)] if recipe.weight_decay else []
    return _engine_class()(
        expose(student, *outputs),
        teacher,
        terms,
        transforms,
        optimizer,
        plan.batch_size,
        recipe.crop_padding,
    )


def _engine_class():
    if keras.backend.backend() == "jax":
        from tfcil.training.jax_engine import JaxEngine

        return JaxEngine
    from tfcil.training.tensorflow_engine import TensorFlowEngine

    return TensorFlowEngine


def _fit(engine, images, labels, plan, on_epoch):
    labels = np.asarray(labels, "int32")
    curve = []
    for epoch in range(plan.epochs):
        steps = [
            engine.step(images[indices], labels[indices], draws)
            for indices, draws in plan.epoch(epoch)
        ]
        # Read once per epoch: reading a value waits for the step that makes it.
        means = {name: float(np.mean([float(step[name]) for step in steps])) for name in steps[0]}
        if not np.isfinite(means["loss"]):
            raise UserError(
                f"The loss stopped being finite in epoch {epoch + 1} of {plan.epochs}: expected a "
                f"learning rate that this network bears. Received: loss={means['loss']}"
            )
        curve.append({"epoch": epoch + 1, **means})
        if on_epoch:
            on_epoch(curve[-1])
    engine.finish()
    return curve
