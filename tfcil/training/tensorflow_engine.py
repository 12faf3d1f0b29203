"""Training steps on TensorFlow, on one device, on those of one machine, or of several."""

import functools

import tensorflow as tf

from tfcil.classifier.fused_batch_norm import fuse_batch_norm
from tfcil.cluster import membership
from tfcil.layers.augmentation import augment, resize
from tfcil.training.objective import objective
from tfcil.training.phase import Batch
from tfcil.training.steps import one_by_one


class TensorFlowEngine:
    """Takes training steps with one compiled function.

    Args:
        training: the `Training`, whose student it trains in place.
    """

    def __init__(self, training):
        self._strategy = tf.distribute.get_strategy()
        self._training = training
        self._models = {
            side: [one and fuse_batch_norm(one) for one in models]
            for side, models in training.models.items()
        }
        self._batch_size = training.plan.sampler.size
        # XLA is slower on a CPU and fails under MirroredStrategy. A step has no Python branches on
        # tensors: rewriting its functions for them would take longer than tracing them.
        # It is traced once for each `side`.
        self._run = tf.function(self._run_on_all, jit_compile=False, autograph=False)

    def share_of(self, size):
        """Returns which images of a batch `step` takes: those of this machine's devices."""
        if membership() is None:
            return slice(0, size)
        member = membership()
        # Of each device, as in `step`: rounded once more, a share would begin elsewhere.
        devices = self._strategy.num_replicas_in_sync
        own = devices // len(member.addresses)
        first = own * member.index
        return slice(first * size // devices, (first + own) * size // devices)

    def take(self, steps, task):
        """Takes the `Step`s of an epoch, and yields the scalars of each for the curve."""
        return one_by_one(self._training, self, steps, task)

    def step(self, images, labels, draws, sizes, progress, number, told, side=None):
        """Takes one step.

        Args:
            images: (share, height, width, channels) uint8, the `share_of` the batch.
            labels: (share,) int32.
            draws: as `tfcil.layers.draws.draw` gives them.
            sizes: (terms,) what the sum of each term's values is divided by.
            progress: part of the phase's steps already taken.
            number: of the step in the phase.
            told: dictionary of numbers and arrays, see `Batch`.
            side: to which the images are resized, or `None`.

        Returns:
            Dictionary of scalar tensors for the curve.
        """
        devices, size = self._strategy.num_replicas_in_sync, self._batch_size
        skipped = self.share_of(size).start

        def split(array):
            def share(context):
                replica = context.replica_id_in_sync_group
                first, last = (one * size // devices - skipped for one in (replica, replica + 1))
                return tf.convert_to_tensor(array[first:last])

            return self._strategy.experimental_distribute_values_from_function(share)

        # As tensors: a Python number would be traced again for every value.
        numbers = [tf.constant(one, tf.float32) for one in (sizes, progress)]
        told = {name: tf.constant(value, tf.float32) for name, value in told.items()}
        return self._run(
            side, *map(split, (images, labels, draws)), *numbers, tf.constant(number), told
        )

    def write_back(self):
        """Does nothing: the variables hold the values already."""

    def _run_on_all(self, side, *arguments):
        run = functools.partial(self._run_on_one, *self._models[side], side)
        curve = self._strategy.run(run, args=arguments)
        return {
            name: self._strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for name, value in curve.items()
        }

    def _run_on_one(
        self, student, teacher, side, images, labels, draws, sizes, progress, number, told
    ):
        images = resize(augment(images, draws, self._training.plan.augmentation), side)
        taught = None if teacher is None else teacher(images, training=False)
        variables = student.trainable_variables
        with tf.GradientTape() as tape:
            outputs = student(images, training=True)
            batch = Batch(labels, outputs, taught, progress, told)
            loss, curve = objective(self._training.terms, sizes, self._batch_size, batch)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self._update(gradients, variables, number)
        return curve

    def _update(self, gradients, variables, number):
        replicas = self._strategy.num_replicas_in_sync
        if replicas > 1:
            # Transforms see the gradient of the whole batch. Keras sums over the devices once
            # more when it applies them, hence the division.
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        state = self._training.transform_state
        gradients, new_state = self._training.transformed(
            gradients,
            [one.value for one in state],
            [variable.value for variable in variables],
            number,
        )
        for one, value in zip(state, new_state, strict=True):
            one.assign(value)
        self._training.optimizer.apply([gradient / replicas for gradient in gradients], variables)
