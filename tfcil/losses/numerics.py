"""What every loss and head needs: enough precision, integer labels, safe unit vectors."""

import keras
from keras import ops

from tfcil.errors import UserError

SHORTEST = 1e-12  # a vector shorter than this has no direction (the constant of torch's normalize)


def working_dtype(dtype):
    """Names the type to compute in: float64 for itself, float32 for everything else.

    `keras.backend.result_type` would make float32 of float64 on every backend but TensorFlow.
    """
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def at_least_float32(x):
    """Computes `x` as a tensor of float32, or of float64 where it is that already."""
    x = ops.convert_to_tensor(x)
    return ops.cast(x, working_dtype(x.dtype))


def integer_labels(y_true):
    """Computes int32 labels of shape (batch,) from labels of shape (batch,) or (batch, 1).

    Keras turns labels into floats on their way into a loss, so floats are taken too.
    """
    labels = ops.convert_to_tensor(y_true)
    if len(labels.shape) not in (1, 2) or labels.shape[1:] not in ((), (1,), (None,)):
        raise UserError(
            "y_true must hold one integer label per sample, as (batch,) or (batch, 1). "
            f"Received: y_true.shape={tuple(labels.shape)}"
        )
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def label_mask(labels, num_classes):
    """Computes the boolean (batch, num_classes) matrix that is true at each sample's own class."""
    return ops.equal(labels[:, None], ops.arange(num_classes, dtype="int32"))


def unit_vectors(x, axis=-1):
    """Computes x / max(|x|, 1e-12) along an axis.

    The gradient is 0, not 1e12 or NaN, where a vector is too short to have a direction.
    """
    squared = ops.sum(ops.square(x), axis=axis, keepdims=True)
    x = ops.where(squared > SHORTEST**2, x, ops.stop_gradient(x))
    return x * ops.rsqrt(ops.maximum(squared, SHORTEST**2))
