"""Writes training curves for TensorBoard while a task is trained."""

import contextlib
import functools

import keras

from tfcil.errors import UserError


@contextlib.contextmanager
def scalars(folder):
    """Yields a function that writes a row of the curve; call it after each epoch.

    Events of an earlier training of the task are removed: TensorBoard would draw both in one line.
    Writing them needs TensorFlow only, not the package tensorboard.

    Args:
        folder: of the task; `None`: nothing is written.

    Raises:
        UserError: where TensorFlow is not installed.
    """
    if folder is None:
        yield lambda row: None
        return
    try:
        import tensorflow as tf
    except ImportError:
        raise UserError(
            "tensorboard: writing events needs TensorFlow, which is not installed; expected null. "
            f"Received: tensorboard={folder.parent}"
        ) from None
    if keras.backend.backend() != "tensorflow":
        # TensorFlow would take the memory that the backend needs.
        tf.config.set_visible_devices([], "GPU")
    for earlier in folder.glob("events.out.tfevents.*"):
        earlier.unlink()
    # tf.summary.scalar is the same call, but exists only where tensorboard is installed.
    shown = tf.compat.v1.SummaryMetadata(
        plugin_data=tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    )

    @functools.cache
    def writer():
        # Not before the first row: `multi_worker` must connect before TensorFlow makes anything.
        return opened.enter_context(contextlib.closing(tf.summary.create_file_writer(str(folder))))

    def on_epoch(row):
        with tf.device("CPU"), writer().as_default():
            for name, value in row.items():
                if name not in ("epoch", "phase"):
                    tf.summary.write(name, tf.constant(value, tf.float32), row["epoch"], shown)
        writer().flush()

    with contextlib.ExitStack() as opened:
        yield on_epoch
