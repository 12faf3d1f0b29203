"""Training steps on JAX, on one device."""

import jax

from tfcil.layers.augmentation import augment, resize
from tfcil.training.objective import objective
from tfcil.training.phase import Batch


class JaxEngine:
    """Takes training steps with one compiled function; see `TensorFlowEngine` for the arguments."""

    def __init__(self, training):
        student, optimizer = training.student, training.optimizer
        terms, batch_size = training.terms, training.plan.sampler.size
        self._names = ["loss", "accuracy", *(term.name for term in terms)]
        self._variables = (
            student.trainable_variables,
            student.non_trainable_variables,
            optimizer.variables,
            training.transform_state,
        )
        self._state = tuple([one.value for one in part] for part in self._variables)

        def loss_of(trainable, frozen, models, images, labels, sizes, progress, scalars):
            student, teacher = models
            outputs, frozen = student.stateless_call(trainable, frozen, images, training=True)
            taught = None if teacher is None else teacher(images, training=False)
            batch = Batch(labels, outputs, taught, progress, scalars)
            loss, curve = objective(terms, sizes, batch_size, batch)
            return loss, (curve, frozen)

        def step(side, state, images, labels, draws, sizes, progress, number, scalars):
            trainable, frozen, slots, transform_state = state
            images = resize(augment(images, draws, training.plan.augmentation), side)
            (_, (curve, frozen)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
                trainable, frozen, training.models[side], images, labels, sizes, progress, scalars
            )
            gradients, transform_state = training.transformed(
                gradients, transform_state, trainable, number
            )
            trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
            return (trainable, frozen, slots, transform_state), curve

        self._run = jax.jit(step, static_argnums=0, donate_argnums=1)

    def share_of(self, size):
        """Returns which images of a batch `step` takes: all."""
        return slice(size)

    def step(self, images, labels, draws, sizes, progress, number, scalars, side=None):
        """Takes one step; see `TensorFlowEngine.step`."""
        self._state, curve = self._run(
            side, self._state, images, labels, draws, sizes, progress, number, scalars
        )
        # JAX sorts the keys of what a compiled function returns.
        return {name: curve[name] for name in self._names}

    def write_back(self):
        """Writes the values into the variables of the student, the optimizer and the transforms."""
        for variables, values in zip(self._variables, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
