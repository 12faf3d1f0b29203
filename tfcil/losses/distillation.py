"""Losses that keep a student close to its frozen teacher: logits, features, feature maps.

Teacher first, student second; no gradient reaches the teacher.
"""

import keras
import numpy as np
from keras import ops, tree

from tfcil.errors import UserError
from tfcil.losses.base import Loss
from tfcil.losses.numerics import at_least_float32, unit_vectors


def logit_distillation(teacher_logits, student_logits, temperature=2.0):
    """Computes T^2 * KL(softmax(teacher / T) || softmax(student / T)) over the teacher's classes.

    Args:
        teacher_logits: raw logits, (batch, old classes).
        student_logits: raw logits, (batch, classes); the first columns are the teacher's classes.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,); loss and gradient are exactly 0 at equal logits.

    Raises:
        UserError: the student has fewer classes than the teacher, or T is not positive.

    Reference:
        Hinton et al. (arXiv 1503.02531); over the old classes only, as in Li & Hoiem, "Learning
        without Forgetting" (arXiv 1606.09282).
    """
    check_temperature(temperature)
    teacher, student = _constant_and_variable(teacher_logits, student_logits)
    num_old = teacher.shape[-1]
    if student.shape[-1] < num_old:
        raise UserError(
            f"the student needs at least the teacher's {num_old} classes. "
            f"Received: student_logits.shape={tuple(student.shape)}"
        )
    log_p = ops.log_softmax(teacher / temperature)
    log_q = ops.log_softmax(student[..., :num_old] / temperature)
    p, q = ops.exp(log_p), ops.exp(log_q)
    # Both sum to 1, so `q - p` adds nothing; but rounding then cancels term by term, and the
    # gradient at equal logits is 0 instead of noise.
    return temperature**2 * ops.sum(p * (log_p - log_q) + q - p, axis=-1)


def less_forget(teacher_features, student_features):
    """Computes 1 - cos(teacher, student), LUCIR's less-forget term.

    Args:
        teacher_features: pooled features before the head, not normalised, (batch, d).
        student_features: the same of the student.

    Returns:
        The loss of each sample, (batch,); loss and gradient are exactly 0 at equal features.

    Reference:
        Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
    """
    return _cosine_distance(teacher_features, student_features)


def pod_flat(teacher_features, student_features):
    """Computes 1 - cos(teacher, student), PODNet's term on the pooled features.

    Args:
        teacher_features: pooled features before the head and before any ReLU, (batch, d).
        student_features: the same of the student.

    Returns:
        The loss of each sample, (batch,); loss and gradient are exactly 0 at equal features.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), as in the authors' code.
    """
    return _cosine_distance(teacher_features, student_features)


def pod_spatial(teacher_maps, student_maps):
    """Computes the distance of the maps' squares pooled over width and over height (POD-spatial).

    Of each map: squares, summed over the width and over the height, both concatenated, scaled to
    length 1; then the Euclidean distance of teacher and student; then the mean over the maps.

    Args:
        teacher_maps: feature maps before the ReLU, a list of (batch, h, w, c), or one map.
        student_maps: the same of the student, map by map of the same shape.

    Returns:
        The loss of each sample, (batch,); loss and gradient are exactly 0 at equal maps.

    Raises:
        UserError: teacher and student do not have the same number of maps, or none.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), as in the authors' code.
    """
    teacher_maps, student_maps = tree.flatten(teacher_maps), tree.flatten(student_maps)
    if not teacher_maps or len(teacher_maps) != len(student_maps):
        raise UserError(
            f"teacher and student need the same number of maps, at least one. Received: "
            f"len(teacher_maps)={len(teacher_maps)}, len(student_maps)={len(student_maps)}"
        )
    distances = []
    for pair in zip(teacher_maps, student_maps, strict=True):
        teacher, student = _constant_and_variable(*pair)
        distances.append(_unit_distance(_pooled_squares(teacher), _pooled_squares(student)))
    return sum(distances) / len(distances)


@keras.saving.register_keras_serializable(package="tfcil")
class LogitDistillation(Loss):
    """Computes `logit_distillation` with the teacher's logits as `y_true`.

    Args:
        temperature: T, positive.
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.

    Raises:
        UserError: T is not positive.
    """

    def __init__(
        self,
        temperature=2.0,
        reduction="sum_over_batch_size",
        name="logit_distillation",
        dtype=None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        check_temperature(temperature)
        self.temperature = float(temperature)

    def call(self, y_true, y_pred):
        return logit_distillation(y_true, y_pred, self.temperature)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package="tfcil")
class LessForget(Loss):
    """Computes `less_forget` with the teacher's features as `y_true`.

    Args:
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(self, reduction="sum_over_batch_size", name="less_forget", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        return less_forget(y_true, y_pred)


@keras.saving.register_keras_serializable(package="tfcil")
class PodFlat(Loss):
    """Computes `pod_flat` with the teacher's features as `y_true`.

    Args:
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(self, reduction="sum_over_batch_size", name="pod_flat", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        return pod_flat(y_true, y_pred)


@keras.saving.register_keras_serializable(package="tfcil")
class PodSpatial(Loss):
    """Computes `pod_spatial` with the teacher's maps as `y_true`.

    Called by hand it takes lists of maps. `compile()` gives each output its own loss, hence one
    map to each `PodSpatial()`: set `loss_weights` to 1 / maps for the mean.

    Args:
        reduction: how Keras reduces the batch.
        name: name of the loss.
        dtype: type of the computation; narrower types than float32 become float32.
    """

    def __init__(self, reduction="sum_over_batch_size", name="pod_spatial", dtype=None):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true, y_pred):
        return pod_spatial(y_true, y_pred)


def _constant_and_variable(teacher, student):
    """Computes both in the student's type, float32 or wider, and the teacher as a constant."""
    student = at_least_float32(student)
    return ops.stop_gradient(ops.cast(teacher, student.dtype)), student


def _cosine_distance(teacher_features, student_features):
    teacher, student = _constant_and_variable(teacher_features, student_features)
    # Half the squared distance of unit vectors is 1 - cos, without its cancellation near 0.
    return ops.sum(ops.square(unit_vectors(teacher) - unit_vectors(student)), axis=-1) / 2


def _pooled_squares(maps):
    """Computes the unit vector (batch, h * c + w * c) of one batch of maps (batch, h, w, c)."""
    squares = ops.square(maps)
    sums = [ops.sum(squares, axis=axis) for axis in (1, 2)]
    flat = [ops.reshape(each, (ops.shape(each)[0], -1)) for each in sums]
    return unit_vectors(ops.concatenate(flat, axis=-1))


def _unit_distance(a, b):
    """Computes the Euclidean distance of unit vectors, 0 and flat where it is only rounding."""
    squared = ops.sum(ops.square(a - b), axis=-1)
    # The slope of a distance does not fade towards 0. Equal vectors that a compiler computed in
    # two ways differ by a few epsilon, and that noise would get a gradient of full size.
    apart = squared > (32 * np.finfo(keras.backend.standardize_dtype(squared.dtype)).eps) ** 2
    # `where` multiplies the slope of the branch not taken by 0: the root must not see the 0.
    return ops.where(apart, ops.sqrt(ops.where(apart, squared, 1.0)), 0.0)


def check_temperature(temperature):
    """Refuses a temperature that is not positive."""
    if not temperature > 0:
        raise UserError(f"temperature must be positive. Received: temperature={temperature!r}")
