"""Shared by losses and heads: working precision, integer labels, unit vectors, checks."""

import math
import numbers

import keras
from keras import ops

from tfcil.errors import UserError

MASKED = -1e30  # the logit of an excluded class: exp gives exactly 0, and unlike -inf no NaN
SHORTEST = 1e-12  # a shorter vector has no direction (the constant of torch's normalize)


def working_dtype(dtype):
    """Returns the dtype to compute in: "float64" for float64, "float32" for any other.

    `keras.backend.result_type` would turn float64 into float32 on every backend but TensorFlow.
    """
    return "float64" if keras.backend.standardize_dtype(dtype) == "float64" else "float32"


def at_least_float32(x):
    """Converts `x` to a tensor of float32, or of float64 if it is float64 already."""
    x = ops.convert_to_tensor(x)
    return ops.cast(x, working_dtype(x.dtype))


def integer_labels(y_true):
    """Converts labels, (batch,) or (batch, 1), to int32 of shape (batch,).

    Takes floats too: a Keras loss casts its labels to its own dtype.
    """
    labels = ops.convert_to_tensor(y_true)
    if len(labels.shape) not in (1, 2) or labels.shape[1:] not in ((), (1,), (None,)):
        raise UserError(
            "y_true must hold one integer label per sample, as (batch,) or (batch, 1). "
            f"Received: y_true.shape={tuple(labels.shape)}"
        )
    return ops.cast(ops.reshape(labels, (-1,)), "int32")


def label_mask(labels, num_classes):
    """Returns a boolean (batch, num_classes) matrix, true at each sample's own class."""
    return ops.equal(labels[:, None], ops.arange(num_classes, dtype="int32"))


def unit_vectors(x, axis=-1):
    """Computes x / max(|x|, 1e-12) along an axis.

    Where a vector is shorter than that, its gradient is 0, not 1e12 or NaN.
    """
    squared = ops.sum(ops.square(x), axis=axis, keepdims=True)
    x = ops.where(squared > SHORTEST**2, x, ops.stop_gradient(x))
    return x * ops.rsqrt(ops.maximum(squared, SHORTEST**2))


def squared_distances(a, b):
    """Computes the squared Euclidean distance of each row of `a` to each row of `b`.

    Equal rows have exactly 0, and so has their gradient: it is computed from differences, which
    take rows of `a` * rows of `b` * columns numbers.
    """
    return ops.sum(ops.square(a[:, None, :] - b[None, :, :]), axis=-1)


def is_number(value):
    """Returns whether `value` is a real number; booleans are not."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_temperature(temperature):
    """Raises a `UserError` unless the temperature is a positive, finite number."""
    if not (is_number(temperature) and 0 < temperature < math.inf):
        raise UserError(
            f"temperature must be a positive number. Received: temperature={temperature!r}"
        )


def check_bandwidths(bandwidths):
    """Raises a `UserError` unless there are bandwidths, all of them positive and finite numbers."""
    if not (len(bandwidths) and all(is_number(one) and 0 < one < math.inf for one in bandwidths)):
        raise UserError(
            "bandwidths must be positive numbers, at least one. "
            f"Received: bandwidths={list(bandwidths)}"
        )


def check_q(q):
    """Raises a `UserError` unless q is a number above 0 and at most 1."""
    if not (is_number(q) and 0 < q <= 1):
        raise UserError(f"q must be a number above 0 and at most 1. Received: q={q!r}")
