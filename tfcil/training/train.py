"""Trains a phase: makes it ready, and loops over its epochs and steps."""

import keras
import numpy as np

from tfcil.classifier import expose, num_classes, resized
from tfcil.classifier.growth import layers_by_path
from tfcil.errors import UserError
from tfcil.layers.draws import Augmentation
from tfcil.training.averaging import MovingAverage, recompute_batch_statistics
from tfcil.training.optimizers import learning_rates, make_optimizer
from tfcil.training.phase import Preparation
from tfcil.training.samplers import Plan, Shuffled
from tfcil.training.steps import steps_of
from tfcil.training.strategy import synchronize_batch_norm, take_over

CHECKED = 100  # steps after which the loss is checked for being a number


class Trainer:
    """Trains the phases of one task, one call after the other.

    Calls are numbered: the order of images, the checkpoint and the curve follow from the number and
    the name of the phase. So what happens between two calls must be deterministic, and should be
    cheap: a killed run does it again.

    Args:
        seed: the experiment's seed.
        num_devices: that share each batch.
        on_epoch: function called after each epoch with its row of the curve, and the number of
            epochs of all phases so far; or `None`.
        checkpoint: the task's `Checkpoint`, or `None`.

    Attributes:
        curve: a dictionary per epoch so far.
    """

    def __init__(self, seed, num_devices=1, on_epoch=None, checkpoint=None):
        self.seed, self.num_devices = seed, num_devices
        self.on_epoch, self.checkpoint = on_epoch, checkpoint
        self.curve, self._names = [], []

    def __call__(self, task, phase):
        """Trains the student of a phase in place on the images of a task.

        Args:
            task: the `Task`.
            phase: the `Phase`.

        Returns:
            The trained classifier.

        Raises:
            UserError: where there are fewer images in a step than devices, several devices would
                share the batch of a term that needs it whole, or the loss stops being finite.
        """
        if phase.name in self._names:
            raise ValueError(f"phases need different names. Received: {phase.name} twice")
        seed = (self.seed, task.num_old, len(self._names))
        self._names.append(phase.name)
        training = Training(task, phase, seed, self.num_devices)
        before = len(self.curve)
        rows = fit(training, task, self.on_epoch, before, self.checkpoint)
        self.curve += rows
        training.end(task.images)
        return training.classifier


class Training:
    """A phase that is ready to run.

    Args:
        task: the `Task` whose images it sees.
        phase: the `Phase`.
        seed: integers that everything drawn depends on.
        num_devices: that share each batch.

    Attributes:
        classifier: the model from images to logits that is trained.
        student: the model with the outputs that the terms read.
        teacher: likewise, or `None`.
        models: student and teacher by each side of the plan, for images of that side; by `None`,
            where it has none, for images as they are.
        plan: the `Plan` of its steps.
        optimizer: built for the student.
        transform_state: Keras variables that hold the states of the transforms.
        hooks: the `BeforeStep`s of its terms.
    """

    def __init__(self, task, phase, seed, num_devices=1):
        self.name, self.terms = phase.name, phase.terms
        _check_devices(phase.terms, num_devices)
        self.classifier = _classifier_of(phase.student)
        self._trainable = {layer: layer.trainable for _, layer in layers_by_path(self.classifier)}
        if phase.trainable:
            for layer in self.classifier.layers:
                layer.trainable = phase.trainable(layer)
        synchronize_batch_norm(self.classifier, num_devices > 1)
        self.student = _exposed(phase.student, self.terms)
        self.teacher = _teacher(phase)
        recipe = phase.recipe
        self.plan = _plan(task, phase, seed, num_devices)
        sampler = self.plan.sampler
        self.rates = learning_rates(recipe, self.plan.steps, sampler.steps_per_epoch)
        trainable = self.student.trainable_variables
        self.optimizer, first = make_optimizer(recipe, self.rates, trainable, phase.transforms)
        self._average = MovingAverage(recipe.ema * self.plan.steps) if recipe.ema else None
        self._transforms = [
            *(one for one in phase.transforms if one.before_decay),
            *first,
            *(one for one in phase.transforms if not one.before_decay),
            *filter(None, [self._average]),
        ]
        states = [one.init(trainable) for one in self._transforms]
        self._sizes = [len(state) for state in states]
        self.transform_state = [_variable(value) for state in states for value in state]
        self.models = {side: self._models(side) for side in self.plan.sides or (None,)}
        prepared = Preparation(self.classifier, task, seed, self.plan.augmentation)
        self.hooks = [one.before_step(prepared) for one in self.terms if one.before_step]

    def end(self, images) -> None:
        """Leaves the classifier's layers as they were, but for their weights.

        With `ema`, the weights become their averages, and `images` of the task give the statistics.
        """
        synchronize_batch_norm(self.classifier, False)
        if self._average:
            variables = self.student.trainable_variables
            kept = self.transform_state[-len(variables) :]
            averages = self._average.moved(kept, variables)
            for variable, value in zip(variables, averages, strict=True):
                variable.assign(value)
            recompute_batch_statistics(self.classifier, self.plan, images)
        # Outer layers first: they set the flags of those inside.
        for layer, trainable in self._trainable.items():
            layer.trainable = trainable

    def _models(self, side):
        return [one and resized(one, side) for one in (self.student, self.teacher)]

    @property
    def variables(self):
        """All that a step changes, the seeds of dropout layers included."""
        of_hooks = [one for hook in self.hooks for one in hook.variables]
        model, slots = self.student.variables, self.optimizer.variables
        return [*model, *slots, *self.transform_state, *of_hooks]

    def transformed(self, gradients, state, variables, step):
        """Runs all transforms; `state` is the values of `transform_state`, and so is what returns.

        See `tfcil.training.phase.Transform.update` for the arguments.
        """
        new_state, first = [], 0
        for transform, size in zip(self._transforms, self._sizes, strict=True):
            own = state[first : first + size]
            gradients, own = transform.update(gradients, own, variables, step)
            new_state, first = [*new_state, *own], first + size
        return gradients, new_state

    def told(self) -> dict:
        """Returns what the terms' hooks tell them."""
        return {name: value for hook in self.hooks for name, value in hook.told().items()}


def fit(training, task, on_epoch=None, epochs_before=0, checkpoint=None):
    """Runs all epochs of a training, or those that a checkpoint does not hold.

    Args:
        training: a `Training`.
        task: the `Task` whose images it sees.
        on_epoch, checkpoint: as of `Trainer`.
        epochs_before: epochs of the phases before.

    Returns:
        The curve: a list with a dictionary per epoch.
    """
    plan, kept = training.plan, training.variables
    curve = checkpoint.restore(training.name, kept) if checkpoint else []
    finished = take_over(kept, len(curve), plan)
    engine = make_engine(training)
    epochs = epochs_before + plan.epochs
    for row in curve if on_epoch else ():
        on_epoch(row, epochs)
    for epoch in range(finished, plan.epochs):
        for hook in training.hooks:
            hook.epoch_begins()
        steps = []
        for step in take_steps(training, engine, epoch, task):
            steps.append(step)
            # Reading a value waits for the step that makes it: one of long ago is there already.
            if len(steps) % CHECKED == 0:
                _check_finite(float(steps[-CHECKED]["loss"]), epoch, plan.epochs)
        means = {name: float(np.mean([float(step[name]) for step in steps])) for name in steps[0]}
        _check_finite(means["loss"], epoch, plan.epochs)
        engine.write_back()
        seen = len(steps) * plan.sampler.size
        row = {"epoch": epochs_before + epoch + 1, "phase": training.name, "images": seen}
        numbers = {name: one for name, one in training.told().items() if not np.ndim(one)}
        curve.append(row | means | numbers)
        if checkpoint:
            checkpoint.save(training.name, kept, curve)
        if on_epoch:
            on_epoch(curve[-1], epochs)
    return curve


def make_engine(training):
    """Builds what takes the steps of a `Training` on the Keras backend in use."""
    if keras.backend.backend() == "jax":
        from tfcil.training.jax_engine import JaxEngine

        return JaxEngine(training)
    from tfcil.training.tensorflow_engine import TensorFlowEngine

    return TensorFlowEngine(training)


def take_steps(training, engine, epoch, task):
    """Takes the steps of an epoch, and yields the scalars of each for the curve.

    Args:
        training: the `Training`.
        engine: as `make_engine` gives it.
        epoch: number of the epoch.
        task: the `Task` whose images it sees.
    """
    return engine.take(steps_of(training, epoch, np.asarray(task.labels, "int32")), task)


def _check_finite(loss, epoch, epochs):
    if not np.isfinite(loss):
        raise UserError(
            f"The loss stopped being finite in epoch {epoch + 1} of {epochs}: expected a learning "
            f"rate that this network bears. Received: loss={loss}"
        )


def _check_devices(terms, num_devices):
    for term in terms:
        if term.whole_batch and num_devices > 1:
            raise UserError(
                f"The term {term.name} needs the whole batch, expected strategy=none. "
                f"Received: {num_devices} devices"
            )


def _classifier_of(student):
    """Returns the classifier in a model with a dictionary of outputs, or the model itself."""
    if not isinstance(student.output, dict):
        return student
    return keras.Model(student.input, student.output["logits"], name=student.name)


def _exposed(student, terms):
    """Returns the student with a dictionary of outputs: the logits and what the terms read."""
    own = student.output if isinstance(student.output, dict) else {}
    read = dict.fromkeys(name for term in terms for name in ("logits", *term.reads))
    others = [name for name in read if name not in own]
    if not others:
        return student
    exposed = expose(_classifier_of(student), *others)
    return keras.Model(student.input, own | exposed.output) if own else exposed


def _teacher(phase):
    read = [name for term in phase.terms for name in term.teacher_reads]
    if phase.teacher is None or not read or not num_classes(phase.teacher):
        return None
    return expose(phase.teacher, *dict.fromkeys(read))


def _plan(task, phase, seed, num_devices) -> Plan:
    recipe = phase.recipe
    sampler = phase.sampler or Shuffled(np.arange(len(task.labels)), recipe.batch_size)
    if sampler.size < num_devices:
        raise UserError(
            f"Expected an image per step for each of the {num_devices} devices. "
            f"Received: batch_size={recipe.batch_size}, {len(sampler.indices)} images"
        )
    aspects = getattr(task.images, "aspects", None) if recipe.resized_crop else None
    augmentation = Augmentation(
        recipe.crop_padding, recipe.flip, recipe.resized_crop, while_reading=aspects is not None
    )
    return Plan(sampler, recipe.epochs, seed, augmentation, tuple(recipe.sides), aspects)


def _variable(value):
    # Every device computes the same new state, from the gradient of the whole batch.
    return keras.Variable(value, trainable=False, aggregation="only_first_replica")
