"""Training curves as TensorBoard reads them, written while a task is trained."""

import contextlib
import functools

import keras


@contextlib.contextmanager
def scalars(folder):
    """Writes each row of a curve as it comes.

    Events of an earlier training of the task are removed: TensorBoard would draw both in one line.
    The package tensorboard is needed for looking only.

    Args:
        folder: of the task; `None`: nothing is written.

    Yields:
        A function to call after each epoch with its row of the curve.
    """
    if folder is None:
        yield lambda row: None
        return
    import tensorflow as tf

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
        # Not before the first row: `multi_worker` wants to connect before anything else is made.
        return opened.enter_context(contextlib.closing(tf.summary.create_file_writer(str(folder))))

    def on_epoch(row):
        with tf.device("CPU"), writer().as_default():
            for name, value in row.items():
                if name not in ("epoch", "phase"):
                    tf.summary.write(name, tf.constant(value, tf.float32), row["epoch"], shown)
        writer().flush()

    with contextlib.ExitStack() as opened:
        yield on_epoch
