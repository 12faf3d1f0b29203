"""Distillation losses: they keep a student's logits, features or maps close to its teacher's.

The teacher comes first, the student second; no gradient reaches the teacher.
"""

import reprlib

import keras
import numpy as np
from keras import ops, tree

from tfcil.errors import UserError
from tfcil.losses.numerics import (
    at_least_float32,
    check_bandwidths,
    check_temperature,
    squared_distances,
    unit_vectors,
)

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
NARROWEST = 1e-12  # smallest square of the median distance: equal features have one of 0


def logit_distillation(teacher_logits, student_logits, temperature=2.0):
    """Computes T^2 * KL(softmax(teacher / T) || softmax(student / T)) over the teacher's classes.

    Args:
        teacher_logits: raw logits, (batch, old classes).
        student_logits: raw logits, (batch, classes); the first columns are the teacher's classes.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,), float32 or wider. Loss and gradient are exactly 0 at
        equal logits.

    Raises:
        UserError: the student has fewer classes than the teacher, or T is not positive.

    Reference:
        Hinton et al., "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531); over the
        old classes only, as in Li & Hoiem, "Learning without Forgetting" (arXiv 1606.09282).
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
    # p and q both sum to 1, so `q - p` adds 0 to the loss. But it makes the gradient cancel term by
    # term: at equal logits it is exactly 0 instead of rounding noise.
    return temperature**2 * ops.sum(p * (log_p - log_q) + q - p, axis=-1)


def distribution_aware_distillation(teacher_logits, student_logits, lost_counts, temperature=2.0):
    """Computes logit distillation that is stronger for classes that lost more of their images.

    With d the lost images of each old class, w = d / |d| (Euclidean), and r the entropy of d over
    log(old classes), 1 where all lost alike, it is

    r * logit_distillation(teacher, student) + (1 - r) * logit_distillation(teacher, blend),

    where blend = w * student + (1 - w) * teacher, class by class.

    Args:
        teacher_logits: raw logits, (batch, old classes).
        student_logits: raw logits, (batch, classes); the first columns are the teacher's classes.
        lost_counts: d, (old classes,), numbers of 0 or more.
        temperature: T, positive.

    Returns:
        The loss of each sample, (batch,), float32 or wider. In the second part, a class that lost
        nothing gets a gradient of 0; where all lost alike, or none anything, it is the first part.

    Raises:
        UserError: there is not one count per old class, or as of `logit_distillation`.

    Reference:
        He, "Gradient Reweighting: Towards Imbalanced Class-Incremental Learning" (CVPR 2024,
        arXiv 2402.18528), as in the author's code, but for the entropy of the teacher.
    """
    teacher, student = _constant_and_variable(teacher_logits, student_logits)
    lost = np.asarray(lost_counts, "float64")
    if lost.shape != (teacher.shape[-1],) or (lost < 0).any():
        raise UserError(
            f"lost_counts must be 0 or more, one for each of the teacher's {teacher.shape[-1]} "
            f"classes. Received: lost_counts={reprlib.repr(lost.tolist())}"
        )
    balance = lost_balance(lost)
    weights = ops.cast(lost / max(np.linalg.norm(lost), 1e-12), student.dtype)
    blend = weights * student[..., : len(lost)] + (1 - weights) * teacher
    plain = logit_distillation(teacher, student, temperature)
    return balance * plain + (1 - balance) * logit_distillation(teacher, blend, temperature)


def lost_balance(lost_counts) -> float:
    """Computes the entropy of the lost images' shares over its largest value, 0 to 1."""
    shares = np.asarray(lost_counts, "float64") + 1e-3  # as in the author's code
    shares /= shares.sum()
    entropy = -np.sum(shares * np.log(shares))
    return float(entropy / np.log(len(shares))) if len(shares) > 1 else 1.0


def less_forget(teacher_features, student_features):
    """Computes 1 - cos(teacher, student), LUCIR's less-forget term.

    Args:
        teacher_features: pooled features before the head, not normalised, (batch, d).
        student_features: the student's features, (batch, d).

    Returns:
        The loss of each sample, (batch,), float32 or wider. Loss and gradient are exactly 0 at
        equal features.

    Reference:
        Hou et al., "Learning a Unified Classifier Incrementally via Rebalancing" (CVPR 2019).
    """
    teacher, student = _constant_and_variable(teacher_features, student_features)
    # 1 - cos is half the squared distance of the unit vectors; computed so, it keeps its digits
    # when cos is near 1.
    return ops.sum(ops.square(unit_vectors(teacher) - unit_vectors(student)), axis=-1) / 2


def pod_flat(teacher_features, student_features):
    """Computes 1 - cos(teacher, student), PODNet's term on the pooled features.

    Args:
        teacher_features: pooled features before the head and before any ReLU, (batch, d).
        student_features: the student's features, (batch, d).

    Returns:
        The loss of each sample, (batch,), float32 or wider. Loss and gradient are exactly 0 at
        equal features.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), as in the authors' code.
    """
    return less_forget(teacher_features, student_features)


def pod_spatial(teacher_maps, student_maps):
    """Computes POD-spatial: the distance between pooled feature maps, averaged over the maps.

    Each map is squared, summed over its width and over its height; both sums together are scaled
    to a unit vector. The distance is the Euclidean one between teacher and student.

    Args:
        teacher_maps: feature maps before the ReLU, a list of (batch, h, w, c), or one map.
        student_maps: the student's maps, in the same order and of the same shapes.

    Returns:
        The loss of each sample, (batch,), float32 or wider. Loss and gradient are exactly 0 at
        equal maps.

    Raises:
        UserError: teacher and student have different numbers of maps, or none.

    Reference:
        Douillard et al., "PODNet" (arXiv 2004.13513), as in the authors' code.
    """
    teacher_maps, student_maps = tree.flatten(teacher_maps), tree.flatten(student_maps)
    if not teacher_maps or len(teacher_maps) != len(student_maps):
        raise UserError(
            "teacher and student need the same number of maps, at least one. Received: "
            f"len(teacher_maps)={len(teacher_maps)}, len(student_maps)={len(student_maps)}"
        )
    distances = []
    for pair in zip(teacher_maps, student_maps, strict=True):
        teacher, student = _constant_and_variable(*pair)
        distances.append(_unit_distance(_pooled_squares(teacher), _pooled_squares(student)))
    return sum(distances) / len(distances)


def maximum_mean_discrepancy(teacher_features, student_features, bandwidths=BANDWIDTHS):
    """Computes the squared maximum mean discrepancy of the teacher's and the student's features.

    It compares two sets: which image a feature belongs to does not matter. The biased estimator is

    mean k(a_i, a_j) + mean k(b_i, b_j) - 2 mean k(a_i, b_j)    over all pairs i, j

    with the teacher's features a, the student's b, and k(x, y) the sum over the bandwidths h of
    exp(-|x - y|^2 / (2 (h m)^2)). m is the median distance of an a to a b, a constant: it gets no
    gradient.

    Args:
        teacher_features: pooled features before the head, (batch, d).
        student_features: the student's features of the same images, (batch, d).
        bandwidths: h, positive numbers, at least one.

    Returns:
        The part of each sample, (batch,), float32 or wider: the mean over j above. Their mean over
        the batch is the discrepancy; a part by itself can be negative. At equal features all are
        exactly 0.

    Raises:
        UserError: there is no bandwidth, or one is not positive.

    Reference:
        Gretton et al., "A Kernel Two-Sample Test" (JMLR 2012), equation 5; as a regulariser: Chen
        et al., "On the Exploration of Incremental Learning for Fine-grained Image Retrieval"
        (arXiv 2010.08020). Kernel and bandwidths are our reading.
    """
    check_bandwidths(bandwidths)
    teacher, student = _constant_and_variable(teacher_features, student_features)
    between = squared_distances(teacher, student)
    median = ops.maximum(ops.stop_gradient(ops.median(between)), NARROWEST)

    def kernel(squares):
        return sum(ops.exp(-squares / (2 * width**2 * median)) for width in bandwidths)

    within = (kernel(squared_distances(each, each)) for each in (teacher, student))
    pairs = sum(within) - 2 * kernel(between)
    return ops.sum(pairs, axis=-1) / ops.cast(ops.shape(pairs)[-1], pairs.dtype)


def _constant_and_variable(teacher, student):
    """Returns both in the student's type, float32 or wider; the teacher gets no gradient."""
    student = at_least_float32(student)
    return ops.stop_gradient(ops.cast(teacher, student.dtype)), student


def _pooled_squares(maps):
    """Pools maps (batch, h, w, c) to unit vectors (batch, h * c + w * c)."""
    squares = ops.square(maps)
    sums = [ops.sum(squares, axis=axis) for axis in (1, 2)]
    flat = [ops.reshape(each, (ops.shape(each)[0], -1)) for each in sums]
    return unit_vectors(ops.concatenate(flat, axis=-1))


def _unit_distance(a, b):
    """Computes the Euclidean distance of unit vectors; rounding noise gives 0, gradient 0."""
    squared = ops.sum(ops.square(a - b), axis=-1)
    # The gradient of a distance has the same size however near the vectors are. Equal vectors can
    # differ by a few epsilon where a compiler computes them in two ways: that noise must not train.
    apart = squared > (32 * np.finfo(keras.backend.standardize_dtype(squared.dtype)).eps) ** 2
    # The inner `where` keeps the 0 from the root, whose infinite slope there times 0 is NaN.
    return ops.where(apart, ops.sqrt(ops.where(apart, squared, 1.0)), 0.0)
