"""Training steps on JAX, on one device: many of them per call, or one."""

import math
from collections import deque
from itertools import groupby, islice

import jax
import jax.numpy as jnp
import numpy as np

from tfcil.layers.augmentation import augment, resize
from tfcil.training.objective import objective
from tfcil.training.phase import Batch
from tfcil.training.steps import Step, one_by_one

# At most, by the platform; 100 on others. While a call runs, the next one is made ready. On a CPU,
# XLA computes convolutions in a loop 20 times slower or worse.
STEPS_PER_CALL = {"cpu": 1}
# A task's images stay on the device if they are no larger than this, in bytes. Steps on larger
# images take so long that sending a batch to the device does not count.
IMAGES_ON_DEVICE = 2**31


class JaxEngine:
    """Takes training steps with one compiled function.

    Without hooks, and where the task's images fit on the device, it takes many steps per call, but
    on a CPU: a call from Python costs more than a step of a small network takes on a GPU.

    Args:
        training: the `Training`; `write_back` brings its student up to date.
    """

    def __init__(self, training):
        self._training = training
        self._names = ["loss", "accuracy", *(term.name for term in training.terms)]
        self._variables = (
            training.student.trainable_variables,
            training.student.non_trainable_variables,
            training.optimizer.variables,
            training.transform_state,
        )
        self._state = _values(self._variables)
        self._teacher = training.teacher and _values(
            (training.teacher.trainable_variables, training.teacher.non_trainable_variables)
        )
        longest = math.ceil(round(training.plan.sampler.steps_per_epoch, 6))
        # As equal calls as the epoch allows: the last one is filled up.
        most = STEPS_PER_CALL.get(jax.default_backend(), 100)
        self._length = math.ceil(longest / math.ceil(longest / most))
        self._on_device = None
        # It is compiled once for each `side`.
        self._run = jax.jit(self._take_steps, static_argnums=0, donate_argnums=1)

    def share_of(self, size):
        """Returns which images of a batch `step` takes: all."""
        return slice(size)

    def take(self, steps, task):
        """Takes the steps of an epoch, and yields the scalars of each for the curve.

        Args:
            steps: iterator of `Step`s.
            task: the `Task` whose images they see, the same in every call.
        """
        size = math.prod(task.images.shape) * task.images.dtype.itemsize
        read_as_drawn = self._training.plan.augmentation.while_reading
        if self._training.hooks or read_as_drawn or size > IMAGES_ON_DEVICE:
            return one_by_one(self._training, self, steps, task)
        if self._on_device is None:
            arrays = task.images[:], np.asarray(task.labels, "int32")
            self._on_device = tuple(map(jnp.asarray, arrays))
        return self._in_calls(iter(steps))

    def step(self, images, labels, draws, sizes, progress, number, told, side=None):
        """Takes one step; see `TensorFlowEngine.step`."""
        one = Step(number, np.arange(len(labels)), draws, sizes, progress, side)
        curves = self._call(images, labels, [one], 1, told)
        # Read by whoever needs them: reading waits for the step.
        return {name: curves[name][0] for name in self._names}

    def write_back(self):
        """Writes the values into the variables of the student, the optimizer and the transforms."""
        for variables, values in zip(self._variables, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def _in_calls(self, steps):
        running = deque()
        for _, of_one_side in groupby(steps, lambda step: step.side):
            while some := list(islice(of_one_side, self._length)):
                curves = self._call(*self._on_device, some, self._length, {})
                running.append((curves, len(some)))
                # Reading waits for a call to end, so the next one is under way before.
                if len(running) > 1:
                    yield from self._rows(*running.popleft())
        for one in running:
            yield from self._rows(*one)

    def _call(self, images, labels, steps, length, told):
        """Takes steps of one side, filled up to a length; returns arrays (length,) of scalars."""
        filled = [step[:-1] for step in (*steps, *[steps[-1]] * (length - len(steps)))]
        number, indices, draws, sizes, progress = map(np.stack, zip(*filled, strict=True))
        real = np.arange(length) < len(steps)
        told = {name: np.stack([np.float32(one)] * length) for name, one in told.items()}
        numbers = number.astype("int32"), progress.astype("float32"), told
        self._state, curves = self._run(
            *(steps[0].side, self._state, self._teacher, images, labels),
            (indices.astype("int32"), draws, sizes, *numbers, real),
        )
        return curves

    def _rows(self, curves, count):
        # JAX sorts the keys of what a compiled function returns.
        curves = {name: np.asarray(curves[name]) for name in self._names}
        for index in range(count):
            yield {name: values[index] for name, values in curves.items()}

    def _take_steps(self, side, state, teacher, images, labels, steps):
        def one(state, step):
            indices, *step, real = step
            batch = [jnp.take(array, indices, axis=0, mode="clip") for array in (images, labels)]
            new, curve = self._take_one(side, state, teacher, *batch, step)
            # One length is compiled once: steps that only fill a call up change nothing.
            return jax.tree.map(lambda new, old: jnp.where(real, new, old), new, state), curve

        if len(steps[0]) > 1:
            return jax.lax.scan(one, state, steps)
        # A loop of one step would still be a loop.
        state, curve = one(state, jax.tree.map(lambda values: values[0], steps))
        return state, jax.tree.map(lambda value: value[None], curve)

    def _take_one(self, side, state, teacher, images, labels, step):
        training, (trainable, frozen, slots, transform_state) = self._training, state
        student, taught = training.models[side]
        draws, sizes, number, progress, told = step
        images = resize(augment(images, draws, training.plan.augmentation), side)
        taught = teacher and taught.stateless_call(*teacher, images, training=False)[0]

        def loss_of(trainable):
            outputs, new = student.stateless_call(trainable, frozen, images, training=True)
            batch = Batch(labels, outputs, taught, progress, told)
            size = training.plan.sampler.size
            loss, curve = objective(training.terms, sizes, size, batch)
            return loss, (curve, new)

        (_, (curve, frozen)), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        gradients, transform_state = training.transformed(
            gradients, transform_state, trainable, number
        )
        trainable, slots = training.optimizer.stateless_apply(slots, gradients, trainable)
        return (trainable, frozen, slots, transform_state), curve


def _values(parts):
    """Returns the values of lists of variables."""
    return tuple([variable.value for variable in part] for part in parts)
