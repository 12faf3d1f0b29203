"""Over which devices a task is trained, and reproducible arithmetic on them."""

import contextlib
import functools

import keras

from tfcil.errors import UserError


def make_deterministic() -> None:
    """Has the backend give the same bytes twice, at the cost of some speed."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def devices(strategy: str):
    """Opens the scope in which models and optimizers must be made.

    Args:
        strategy: `"none"`, or `"mirrored"` for all devices of this machine (TensorFlow only).

    Yields:
        The number of devices.
    """
    if strategy == "none":
        yield 1
        return
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"Expected strategy=none with the Keras backend {keras.backend.backend()}. "
            f"Received: strategy={strategy}"
        )
    mirrored = _mirrored()
    with mirrored.scope():
        yield mirrored.num_replicas_in_sync


@functools.cache
def _mirrored():
    """One for the whole process: two would give their collective operations the same numbers."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(
        tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    )


def synchronize_batch_norm(model, synchronized: bool) -> None:
    """Sets whether batch statistics are those of the whole batch or of each device's share."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = synchronized
