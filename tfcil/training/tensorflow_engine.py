"""Training steps on TensorFlow, on one device, on those of one machine, or of several."""

import tensorflow as tf

from tfcil.cluster import membership
from tfcil.layers.augmentation import augment
from tfcil.layers.fused_batch_norm import fuse_batch_norm
from tfcil.methods import Batch
from tfcil.training.objective import objective


class TensorFlowEngine:
    """Takes training steps with one compiled function.

    Args:
        student: model with a dictionary of outputs; trained in place.
        teacher: the same of the task before, frozen in inference mode, or `None`.
        terms: list of `tfcil.methods.Term`.
        transforms: list of gradient transforms.
        optimizer: a Keras optimizer.
        batch_size: images per step over all devices.
        augmentation: an `Augmentation`.
    """

    def __init__(self, student, teacher, terms, transforms, optimizer, batch_size, augmentation):
        self._strategy = tf.distribute.get_strategy()
        self._student = fuse_batch_norm(student)
        self._teacher = teacher and fuse_batch_norm(teacher)
        self._terms, self._transforms = terms, transforms
        self._optimizer = optimizer
        self._batch_size = batch_size
        self._augmentation = augmentation
        optimizer.build(student.trainable_variables)
        # XLA is slower on a CPU and fails under MirroredStrategy.
        self._run = tf.function(self._run_on_all, jit_compile=False)

    def share_of(self, size):
        """Returns which images of a batch `step` takes: those of this machine's devices."""
        if membership() is None:
            return slice(0, size)
        cluster = membership().cluster
        # Of each device, as in `step`: rounded once more, a share would begin elsewhere.
        devices = self._strategy.num_replicas_in_sync
        own = devices // len(cluster.addresses)
        first = own * cluster.index
        return slice(first * size // devices, (first + own) * size // devices)

    def step(self, images, labels, draws, sizes, alpha=1.0):
        """Takes one step.

        Args:
            images: (share, height, width, channels) uint8, the `share_of` the batch.
            labels: (share,) int32.
            draws: as `tfcil.layers.augmentation.draw` gives them.
            sizes: (terms,) what the sum of each term's values is divided by.
            alpha: see `tfcil.methods.Batch`.

        Returns:
            Dictionary of scalar tensors for the curve.
        """
        devices, size = self._strategy.num_replicas_in_sync, self._batch_size
        skipped = self.share_of(size).start

        def split(array):
            def share(context):
                number = context.replica_id_in_sync_group
                first, last = (one * size // devices - skipped for one in (number, number + 1))
                return tf.convert_to_tensor(array[first:last])

            return self._strategy.experimental_distribute_values_from_function(share)

        constants = [tf.constant(one, tf.float32) for one in (sizes, alpha)]
        return self._run(split(images), split(labels), split(draws), *constants)

    def write_back(self):
        """Leaves the values in the student's variables, where they already are."""

    def _run_on_all(self, *arguments):
        curve = self._strategy.run(self._run_on_one, args=arguments)
        return {
            name: self._strategy.reduce(tf.distribute.ReduceOp.SUM, value, axis=None)
            for name, value in curve.items()
        }

    def _run_on_one(self, images, labels, draws, sizes, alpha):
        images = augment(images, draws, self._augmentation)
        teacher = None if self._teacher is None else self._teacher(images, training=False)
        variables = self._student.trainable_variables
        with tf.GradientTape() as tape:
            student = self._student(images, training=True)
            batch = Batch(labels, student, teacher, alpha)
            loss, curve = objective(self._terms, sizes, self._batch_size, batch)
        gradients = tape.gradient(loss, [variable.value for variable in variables])
        self._update(gradients, variables)
        return curve

    def _update(self, gradients, variables):
        replicas = self._strategy.num_replicas_in_sync
        if replicas > 1:
            # Transforms see the gradient of the whole batch. Keras sums over the devices once
            # more when it applies them, hence the division.
            context = tf.distribute.get_replica_context()
            gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        for transform in self._transforms:
            gradients = transform(gradients, [variable.value for variable in variables])
        self._optimizer.apply([gradient / replicas for gradient in gradients], variables)
