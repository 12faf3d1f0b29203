"""A regulariser of the head: the weight vectors of old and new classes keep one length."""

from keras import ops

from tfcil.errors import UserError
from tfcil.losses.numerics import at_least_float32


def norm_alignment(norms, num_old):
    """Computes how far the norms of each side, old and new, are from the other side's mean norm.

    It is the sum over the old classes of |norm - mean new norm|, and over the new ones of
    |norm - mean old norm|: 0 where all norms are equal.

    Args:
        norms: lengths of the classes' weight vectors, (batch, classes), old classes first; the rows
            are alike, one for each sample, as of the output `norms` of a student.
        num_old: number of old classes.

    Returns:
        One value per sample, (batch,), float32 or wider.

    Raises:
        UserError: there is no old or no new class.

    Reference:
        Wang et al., weight alignment regularization, in "Enhancing Consistency and Mitigating Bias"
        (arXiv 2401.06548), as in the authors' code.
    """
    norms = at_least_float32(norms)
    if not 0 < num_old < norms.shape[-1]:
        raise UserError(
            f"num_old must leave at least one old and one new class among the {norms.shape[-1]}. "
            f"Received: num_old={num_old!r}"
        )
    old, new = norms[:, :num_old], norms[:, num_old:]
    return sum(
        ops.sum(ops.abs(side - _mean(other)), axis=-1) for side, other in ((old, new), (new, old))
    )


def _mean(norms):
    # Keras's own mean works in float32 on JAX.
    return ops.sum(norms, axis=-1, keepdims=True) / norms.shape[-1]
