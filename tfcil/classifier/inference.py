"""Outputs of a model for many images, batch by batch."""

import keras
import numpy as np

from tfcil.classifier.fused_batch_norm import fuse_batch_norm


def forward(model, images, batch_size=250):
    """Computes a model's outputs in inference mode.

    Args:
        model: a `keras.Model` with a dictionary of outputs.
        images: (n, ...), an array or a memory map of what the model takes.
        batch_size: images at a time.

    Returns:
        A dictionary of float32 arrays (n, ...).
    """
    outputs = {
        name: np.empty((len(images), *output.shape[1:]), "float32")
        for name, output in model.output.items()
    }
    for rows, batch in batches(model, images, np.arange(len(images)), batch_size):
        for name, values in batch.items():
            outputs[name][rows] = values
    return outputs


def batches(model, images, rows, batch_size=250):
    """Computes a model's outputs in inference mode, batch by batch.

    Args:
        model, images, batch_size: as those of `forward`.
        rows: int (k,), which of the images.

    Yields:
        The rows of a batch, and a dictionary of float32 arrays, one row for each of them.
    """
    run = _compiled(fuse_batch_norm(model), (batch_size, *images.shape[1:]), images.dtype)
    for first in range(0, len(rows), batch_size):
        some = rows[first : first + batch_size]
        batch = np.asarray(images[some])
        # One shape is traced once, so the last batch is filled up and its outputs are cut.
        batch = np.pad(batch, [(0, batch_size - len(some)), *[(0, 0)] * (batch.ndim - 1)])
        outputs = run(batch).items()
        yield some, {name: keras.ops.convert_to_numpy(one)[: len(some)] for name, one in outputs}


def _compiled(model, shape, dtype):
    def infer(batch):
        return model(batch, training=False)

    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(infer)
    import tensorflow as tf

    # Traced here, because TensorFlow would warn that the same function is traced again and again.
    traced = tf.function(infer, jit_compile=False, autograph=False)
    return traced.get_concrete_function(tf.TensorSpec(shape, dtype))
