"""Training steps on JAX, on one device."""

import jax

from tfcil.layers.augmentation import augment
from tfcil.methods import Batch
from tfcil.training.objective import objective


class JaxEngine:
    """Takes training steps with one compiled function; see `TensorFlowEngine` for the arguments."""

    def __init__(self, student, teacher, terms, transforms, optimizer, batch_size, augmentation):
        self._student, self._optimizer = student, optimizer
        self._names = ["loss", "accuracy", *(term.name for term in terms)]
        optimizer.build(student.trainable_variables)
        self._state = tuple(
            [variable.value for variable in variables]
            for variables in (
                student.trainable_variables,
                student.non_trainable_variables,
                optimizer.variables,
            )
        )

        def loss_of(trainable, frozen, images, labels, sizes, alpha):
            outputs, frozen = student.stateless_call(trainable, frozen, images, training=True)
            taught = None if teacher is None else teacher(images, training=False)
            batch = Batch(labels, outputs, taught, alpha)
            loss, curve = objective(terms, sizes, batch_size, batch)
            return loss, (curve, frozen)

        def step(state, images, labels, draws, *constants):
            trainable, frozen, slots = state
            images = augment(images, draws, augmentation)
            gradient_of = jax.value_and_grad(loss_of, has_aux=True)
            (_, (curve, frozen)), gradients = gradient_of(
                trainable, frozen, images, labels, *constants
            )
            for transform in transforms:
                gradients = transform(gradients, trainable)
            trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
            return (trainable, frozen, slots), curve

        self._run = jax.jit(step, donate_argnums=0)

    def share_of(self, size):
        """Returns which images of a batch `step` takes: all."""
        return slice(size)

    def step(self, images, labels, draws, sizes, alpha=1.0):
        """Takes one step; see `TensorFlowEngine.step`."""
        self._state, curve = self._run(self._state, images, labels, draws, sizes, alpha)
        # JAX sorts the keys of what a compiled function returns.
        return {name: curve[name] for name in self._names}

    def write_back(self):
        """Writes the values into the student's and the optimizer's variables."""
        models = (
            self._student.trainable_variables,
            self._student.non_trainable_variables,
            self._optimizer.variables,
        )
        for variables, values in zip(models, self._state, strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
