"""What a component declares beside its options: facts that are checked before any training."""

from typing import Literal

from tfcil.components.sections import PositiveInt, Section


class Options(Section):
    """Options of a component: the section `options.NAME` of params.yaml."""


class Head(Section):
    """The classifier head that a method trains.

    Args:
        kind: `"linear"`, `"cosine"` or `"local_similarity"`.
        proxies: weight vectors per class, for `"local_similarity"`.
    """

    kind: Literal["linear", "cosine", "local_similarity"] = "linear"
    proxies: PositiveInt = 1


class MethodFacts(Section):
    """Facts of a method.

    Args:
        any_loss: whether it takes every general loss; otherwise `own_losses` alone.
        own_losses: losses that it takes although they are not general.
        first_loss: loss of the first task, where `method.loss` does not apply to it.
        memory: whether it trains on exemplars; a memory-free method refuses them.
        correction: the correction it is published with, or `None`.
        removes_prior: what in the method already removes the class prior, or `None`; a property
            `removes_prior` of the options overrides it.
        keeps_statistics: whether it learns the head on a frozen network, from statistics that it
            keeps of old classes; then it learns the first task, too, and `learn` returns a
            `Learned`.
        one_device: whether it cannot be computed exactly on several devices.
        smooths: whether `label_smoothing` of the recipe reaches its classification.
    """

    any_loss: bool = True
    own_losses: tuple[str, ...] = ()
    first_loss: str = "ce"
    memory: bool = True
    correction: str | None = None
    removes_prior: str | None = None
    keeps_statistics: bool = False
    one_device: bool = False
    smooths: bool = True


class LossFacts(Section):
    """Facts of a classification loss.

    Args:
        general: whether every method with `any_loss` takes it.
        first_task: whether it trains the first task, too; an option `first_task` overrides it.
        removes_prior: whether raw logits come out as if all classes were equally frequent; a
            property `removes_prior` of the options overrides it.
        memory: whether it needs exemplars, refuses them, or does not care.
        smooths: whether it takes `label_smoothing` of the recipe.
    """

    general: bool = True
    first_task: bool = False
    removes_prior: bool = False
    memory: Literal["needs", "refuses", "any"] = "any"
    smooths: bool = False


class CorrectionFacts(Section):
    """Facts of a correction.

    Args:
        heads: kinds of head it can correct.
        needs_memory: whether it needs exemplars.
        expects_prior: whether it presumes that the trained model favours frequent classes: it
            would overcorrect one that does not.
        first_task: whether it follows the first task, too; an option `first_task` overrides it.
    """

    heads: tuple[str, ...] = ("linear", "cosine", "local_similarity")
    needs_memory: bool = False
    expects_prior: bool = False
    first_task: bool = False
