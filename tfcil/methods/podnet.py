"""podnet: several proxies per class, and maps that keep their pooled activity.

Published with `loss: nca`; the balanced fine-tuning trains the head on the classification loss.

Reference: Douillard et al., "PODNet" (arXiv 2004.13513), and the authors' code.
"""

import numpy as np
from pydantic import Field

from tfcil import classifier, losses, training
from tfcil.components import facts
from tfcil.components.sections import NonNegative, PositiveInt
from tfcil.methods.shared.first_columns import clustered_proxies
from tfcil.training.phase import Term, head_only

FACTS = facts.MethodFacts(own_losses=("nca",), first_loss="nca", correction="balanced_finetuning")
LARGEST_GRADIENT = 5.0  # of the released code


class Options(facts.Options):
    """Options of podnet."""

    proxies: PositiveInt = Field(10, description="weight vectors per class")
    pod_spatial_weight: NonNegative = Field(3.0, description="factor before sqrt(seen/new)")
    pod_flat_weight: NonNegative = Field(1.0, description="factor before sqrt(seen/new)")


def head(options):
    """Returns the head: the similarities of several proxies per class, softly pooled."""
    return facts.Head(kind="local_similarity", proxies=options.proxies)


def learn(task, train, options):
    """Trains the network, whose new proxies are clustered and whose old proxies are frozen."""
    old_kernel, _ = classifier.read_head(task.head, task.teacher)
    seed, new = int(task.generator.integers(2**31)), task.new()
    student = task.grown(
        clustered_proxies(
            new.features(task.teacher),
            new.labels,
            task.num_old,
            task.num_new,
            proxies=options.proxies,
            norm=np.linalg.norm(old_kernel, axis=0).mean(),
            seed=seed,
        )
    )
    kernel = student.get_layer(classifier.LOGITS).kernel
    transforms = (
        training.Clipped(LARGEST_GRADIENT),
        training.FrozenColumns(kernel, task.num_old * options.proxies),
    )
    return train(task, task.phase(loss_terms(task, options), student, transforms=transforms))


def finetuning(task, trained, options):
    """Returns the fine-tuning of the head, all proxies of it, by the classification loss."""
    return task.phase(
        [task.classification()],
        trained,
        "balancing",
        trainable=head_only,
        transforms=(training.Clipped(LARGEST_GRADIENT),),
    )


def loss_terms(task, options):
    """Returns classification and both distillations; their weights grow with the seen classes."""

    def spatial(batch):
        return losses.pod_spatial(batch.teacher["maps"], batch.student["maps"])

    def flat(batch):
        return losses.pod_flat(batch.teacher["features"], batch.student["features"])

    factor = (task.num_seen / task.num_new) ** 0.5
    maps, features = ("maps",), ("features",)
    weights = factor * options.pod_spatial_weight, factor * options.pod_flat_weight
    return [
        task.classification(),
        Term("pod_spatial", weights[0], spatial, reads=maps, teacher_reads=maps),
        Term("pod_flat", weights[1], flat, reads=features, teacher_reads=features),
    ]
