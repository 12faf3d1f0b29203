"""podnet: several proxies per class, and maps that keep their pooled activity.

`loss: ce` is its NCA loss as the option `nca` says; with `nca: off`, plain cross-entropy.

Reference: Douillard et al., "PODNet" (arXiv 2004.13513), and the authors' code.
"""

import numpy as np

from tfcil.losses import pod_flat, pod_spatial
from tfcil.methods.base import Method, Stage, Term
from tfcil.methods.classification import classification_term, nca_term
from tfcil.methods.head_weights import clustered_proxies

ABOUT = {
    "head": "local_similarity",
    "losses": ["ce", "bsce", "meta-bsce", "relaxed-bsce"],
    "first_loss": "nca",
    "second_stage": "balancing",
}
LARGEST_GRADIENT = 5.0  # of the released code


def distillation_factor(num_old, num_new):
    """Computes what both distillation weights are multiplied by; new classes count as seen."""
    return ((num_old + num_new) / num_new) ** 0.5


def _classification_terms(options, increment):
    if options.loss == "ce" and options.nca != "off":
        return [nca_term(options.nca)]
    return [classification_term(options, increment)]


def _terms(options, increment):
    factor = distillation_factor(increment.num_old, increment.num_new)

    def spatial(batch):
        return pod_spatial(batch.teacher["maps"], batch.student["maps"])

    def flat(batch):
        return pod_flat(batch.teacher["features"], batch.student["features"])

    return [
        *_classification_terms(options, increment),
        Term("pod_spatial", factor * options.pod_spatial_weight, spatial),
        Term("pod_flat", factor * options.pod_flat_weight, flat),
    ]


def _clustered(task, trained):
    old_kernel, _ = task.head.read(task.teacher)
    norm = np.linalg.norm(old_kernel, axis=0).mean()
    increment = task.increment
    seed = int(task.generator.integers(2**31))
    return task.grown(
        clustered_proxies(
            *task.new_features(),
            *(increment.num_old, increment.num_new, task.head.proxies, norm, seed),
        )
    )


METHOD = Method(
    _terms,
    outputs=("logits", "scale", "features", "maps"),
    teacher_outputs=("features", "maps"),
    student=_clustered,
    freezes_old_columns=True,
    largest_gradient=LARGEST_GRADIENT,
    second_stage=Stage(
        _classification_terms,
        name="balancing",
        outputs=("logits", "scale"),
        teacher_outputs=(),
        balanced=True,
        head_only=True,
        largest_gradient=LARGEST_GRADIENT,
    ),
)
