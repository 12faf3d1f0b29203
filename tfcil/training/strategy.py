"""The devices over which a task is trained."""

import contextlib
import functools
import signal

import keras
import numpy as np
from keras import ops

from tfcil.cluster import MemberDone, PeerLost, membership
from tfcil.errors import UserError
from tfcil.files import digest


@contextlib.contextmanager
def devices(strategy: str):
    """Opens the scope in which models and optimizers must be made.

    Args:
        strategy: `"none"`; `"mirrored"` for all devices of this machine, `"multi_worker"` for
            those of several machines (both TensorFlow only).

    Yields:
        The number of devices.

    Raises:
        UserError: where they cannot be had.
        PeerLost: where another machine is lost.
        MemberDone: on leaving, on all machines but the chief.
    """
    if strategy == "none":
        yield 1
        return
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"Expected strategy=none with the Keras backend {keras.backend.backend()}. "
            f"Received: strategy={strategy}"
        )
    with _in_step() if strategy == "multi_worker" else _mirrored().scope():
        import tensorflow as tf

        yield tf.distribute.get_strategy().num_replicas_in_sync


@functools.cache
def _mirrored():
    """One for the whole process: two would give their collective operations the same numbers."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(
        tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    )


@contextlib.contextmanager
def _in_step():
    """Opens the scope over all machines, of which this process is a `Member`."""
    import tensorflow as tf

    if membership() is None:
        raise UserError(
            "Expected strategy=none or mirrored but in the stage `train` of `dvc repro` or "
            "`tfcil run`. Received: strategy=multi_worker"
        )
    unreachable = (
        *(tf.errors.UnavailableError, tf.errors.DeadlineExceededError),
        *(tf.errors.CancelledError, tf.errors.AbortedError),
    )
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        connected = tf.distribute.MultiWorkerMirroredStrategy()
        # TensorFlow has taken SIGTERM for itself, and would not end by it.
        signal.signal(signal.SIGTERM, on_term)
        with connected.scope():
            yield
    except unreachable as error:
        raise PeerLost from error
    if not membership().is_chief:
        raise MemberDone


def writes() -> bool:
    """Tells whether this process writes: all do but those that train in step with the chief."""
    return membership() is None or membership().is_chief


def take_over(variables, epochs, plan) -> int:
    """Sets variables to their values at the chief, which may have gone on from a checkpoint.

    Machines that differ also round differently, in what they compute before a training.

    Args:
        variables: list of Keras variables.
        epochs: how many are finished.
        plan: the `Plan` that follows.

    Returns:
        The number of epochs that are finished at the chief.

    Raises:
        UserError: on a member that would train on other images than the chief.
    """
    if membership() is None:
        return epochs
    images = digest(plan.sampler.indices)
    facts = [np.int64(epochs), np.int64(int(images[:13], 16))]
    *values, epochs_of_chief, images_of_chief = _of_chief([*variables, *facts])
    if images_of_chief != facts[1]:
        raise UserError(
            "Expected the images that the chief trains on. Received: others, from another folder "
            "or chosen by other arithmetic"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(ops.cast(value, variable.dtype))
    return int(epochs_of_chief)


def _of_chief(values):
    """What variables and numbers are on the first device of all, as a list of NumPy arrays."""
    import tensorflow as tf

    def run():
        context = tf.distribute.get_replica_context()
        is_first = tf.equal(context.replica_id_in_sync_group, 0)
        # One type for all that is sent together: it holds every float32, and 53 bits of an integer.
        doubles = [tf.cast(value, tf.float64) for value in values]
        sent = [tf.where(is_first, value, tf.zeros_like(value)) for value in doubles]
        return context.all_reduce(tf.distribute.ReduceOp.SUM, sent)

    strategy = tf.distribute.get_strategy()
    found = tf.function(lambda: strategy.run(run), jit_compile=False)()
    return [strategy.experimental_local_results(one)[0].numpy() for one in found]


def synchronize_batch_norm(model, synchronized: bool) -> None:
    """Sets whether batch statistics are those of the whole batch or of each device's share."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized
