"""weight_aligning: the new classes' weight vectors get the mean norm of the old ones.

Reference: Zhao et al., "Maintaining Discrimination and Fairness in Class Incremental Learning"
(arXiv 1911.07053).
"""

import numpy as np

from tfcil import classifier
from tfcil.components.facts import CorrectionFacts
from tfcil.errors import UserError

FACTS = CorrectionFacts(heads=("linear",), expects_prior=True)
SHORTEST = 1e-12  # a vector shorter than this has no direction


def correct(task, train, trained, options):
    """Scales the new columns of a linear head."""
    head = trained.get_layer(classifier.LOGITS)
    kernel, bias = head.get_weights()
    head.set_weights([aligned_kernel(kernel, task.num_old)[0], bias])
    return trained


def aligned_kernel(kernel, num_old, decay=1.0):
    """Computes the kernel with its new columns scaled to the mean norm of the old ones.

    Args:
        kernel: weights of a linear head, (d, classes), old classes first.
        num_old: number of old classes.
        decay: FOSTER's further factor on the new columns is decay^(old classes / new classes);
            1 is weight aligning as published.

    Returns:
        The aligned kernel, in the kernel's type, and gamma, the factor of the new columns.

    Raises:
        UserError: there is no old or no new class.

    Reference:
        See above; with `decay`: Wang et al., FOSTER (arXiv 2204.04662), its code.
    """
    num_new = kernel.shape[1] - num_old
    if num_old < 1 or num_new < 1:
        raise UserError(
            f"num_old must leave old and new classes among the {kernel.shape[1]} columns of the "
            f"kernel. Received: num_old={num_old!r}"
        )
    norms = np.linalg.norm(kernel.astype("float64"), axis=0)
    gamma = norms[:num_old].mean() / max(norms[num_old:].mean(), SHORTEST)
    gamma = float(gamma * decay ** (num_old / num_new))
    scale = np.where(np.arange(kernel.shape[1]) < num_old, 1.0, gamma)
    return (kernel * scale).astype(kernel.dtype), gamma
