"""The section `method` of params.yaml, and what of it the first task needs to know."""

from typing import Annotated, Literal

from pydantic import Field, StrictInt, field_validator, model_validator

from tfcil.catalogue import About, Loss, catalogue
from tfcil.components.sections import Section
from tfcil.errors import nearest

PositiveInt = Annotated[StrictInt, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]

BALANCED = ("bsce", "meta-bsce", "relaxed-bsce")


class FirstTask(Section):
    """What the method decides of the first task: the head, and the loss where it is another."""

    head: Literal["linear", "cosine", "local_similarity"] = "linear"
    proxies: PositiveInt = 1
    loss: Literal["ce", "bce", "nca"] = "ce"
    nca: Literal["released", "paper"] = "released"


class Method(Section):
    """How a task is learned without forgetting the ones before it."""

    name: str = Field("baseline", description="name of a file in tfcil/methods")
    loss: Loss = Field(
        "bsce",
        description="ce: the method's own classification loss; bsce: balanced softmax; meta-bsce: "
        "with a learned coefficient on the old classes; relaxed-bsce: without a memory; bce: "
        "sigmoids, iCaRL as published",
    )
    tau: NonNegative = Field(1.0, description="strength of the balanced softmax; 0 is plain ce")
    zero_count: Literal["error", "mask"] = Field(
        "mask", description="what bsce does with a seen class without images: refuse, or leave out"
    )
    epsilon: Positive = Field(1.0, description="count of classes without images in relaxed-bsce")
    meta_learning_rate: Positive = Field(0.01, description="of meta-bsce's coefficient, by Adam")
    meta_batch_size: PositiveInt = Field(64, description="balanced images per step of meta-bsce")
    temperature: Positive = Field(2.0, description="of the distillation of logits")
    distillation_weight: NonNegative = Field(1.0, description="factor of that distillation")
    distillation_scale: Literal["constant", "old_fraction"] = Field(
        "old_fraction",
        description="baseline, icarl: old_fraction multiplies the factor by old/seen classes",
    )
    logit_adjust: NonNegative = Field(
        0.0, description="strength of the post-hoc logit adjustment that is folded into the head"
    )
    second_stage: bool | None = Field(
        None,
        description="whether the corrective stage after the main training is done; null: as "
        "published with ce, dropped with a balanced softmax",
    )
    less_forget_weight: NonNegative = Field(5.0, description="lucir: factor before sqrt(old/new)")
    margin_ranking_weight: NonNegative = Field(1.0, description="lucir")
    margin: NonNegative = Field(0.5, description="lucir: of the ranking")
    negatives: PositiveInt = Field(2, description="lucir: new classes ranked against")
    proxies: PositiveInt = Field(10, description="podnet: per class")
    nca: Literal["released", "paper", "off"] = Field(
        "released", description="podnet with ce: its NCA loss by the code or the paper, or plain ce"
    )
    pod_spatial_weight: NonNegative = Field(3.0, description="podnet: before sqrt(seen/new)")
    pod_flat_weight: NonNegative = Field(1.0, description="podnet: before sqrt(seen/new)")
    held_out: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="bic: part of the exemplars, and as many new images, its bias is fitted on"
    )
    replay_batch_size: PositiveInt = Field(
        32, description="ssil: exemplars that join the batch_size new images of a step"
    )
    boosting_beta: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.96, description="foster: of the effective numbers that weigh the classes in boosting"
    )
    compression_beta: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.97, description="foster: likewise in the compression"
    )
    weight_aligning: bool = Field(
        False, description="der: align the head's weights instead of training the head again"
    )

    @field_validator("name")
    @classmethod
    def _name_is_known(cls, name):
        if name not in catalogue():
            raise ValueError(
                f"expected one of {', '.join(catalogue())}{nearest(name, catalogue())}. "
                f"Received: method.name={name}"
            )
        return name

    @model_validator(mode="after")
    def _loss_makes_sense(self):
        about = self.about
        if self.loss not in about.losses:
            why = f", as {about.balanced_by} already balances it" if about.balanced_by else ""
            raise ValueError(
                f"{self.name} is trained with loss={' or '.join(about.losses)}{why}. "
                f"Received: method.loss={self.loss}"
            )
        if self.second_stage and about.second_stage is None:
            raise ValueError(f"{self.name} has no second stage. Received: method.second_stage=true")
        if self.weight_aligning and not about.may_align:
            raise ValueError(
                f"{self.name} has no option weight_aligning. Received: method.weight_aligning=true"
            )
        if self.weight_aligning and not self.has_second_stage:
            raise ValueError(
                "weight_aligning is a second stage, which is dropped with a balanced softmax or "
                "second_stage=false. Received: method.weight_aligning=true"
            )
        if self.second_stage is False and about.second_stage == "compression":
            raise ValueError(
                f"{self.name} is not complete without its second stage. "
                "Received: method.second_stage=false"
            )
        return self

    @model_validator(mode="after")
    def _prior_is_removed_once(self):
        balanced = self.loss in BALANCED and self.tau > 0
        corrected = self.has_second_stage and self.about.second_stage != "compression"
        if balanced and corrected and not self.trains_second_stage:
            raise ValueError(
                f"loss={self.loss} already removes the class prior, the second stage of "
                f"{self.name} would remove it twice: choose loss=ce, or second_stage=null"
            )
        remover = (
            f"loss={self.loss}"
            if balanced
            else f"the second stage of {self.name}"
            if corrected
            else self.about.balanced_by
        )
        if self.logit_adjust > 0 and remover:
            raise ValueError(
                f"the class prior is removed by {remover}, logit_adjust would remove it twice: "
                "choose loss=ce without a second stage, or logit_adjust=0"
            )
        return self

    @property
    def about(self) -> About:
        """The facts of the method."""
        return catalogue()[self.name]

    @property
    def has_second_stage(self) -> bool:
        """Whether something follows the main training."""
        if self.second_stage is not None:
            return self.second_stage
        if self.about.second_stage == "compression":
            return True
        balanced = self.loss in BALANCED
        return bool(self.about.second_stage) and self.about.second_stage_by_default and not balanced

    @property
    def trains_second_stage(self) -> bool:
        """Whether that is a training, with a recipe of its own."""
        trained = self.about.second_stage in ("balancing", "compression")
        return self.has_second_stage and trained and not self.weight_aligning

    def first_task(self) -> FirstTask:
        """What the first task must know, so that the later ones can go on from it."""
        loss = "bce" if self.loss == "bce" else self.about.first_loss
        if loss == "nca" and self.nca == "off":
            loss = "ce"
        return FirstTask(
            head=self.about.head,
            proxies=self.proxies if self.about.head == "local_similarity" else 1,
            loss=loss,
            nca=self.nca if loss == "nca" else "released",
        )


def check_fit(method: Method, memory: int, strategy: str, second_stage) -> None:
    """Raises a ValueError where a method needs another memory, strategy or second stage."""
    if memory and not method.about.memory:
        raise ValueError(
            f"method.name={method.name} is memory-free, expected memory=0. "
            f"Received: memory={memory}"
        )
    if memory and method.loss == "relaxed-bsce":
        raise ValueError(
            "method.loss=relaxed-bsce is for classes without exemplars, expected memory=0 or "
            f"loss=bsce. Received: memory={memory}"
        )
    if not memory and method.loss == "meta-bsce":
        raise ValueError(
            "method.loss=meta-bsce learns its coefficient from exemplars, expected memory of 1 "
            "or more. Received: memory=0"
        )
    if strategy != "none" and method.loss == "meta-bsce":
        raise ValueError(f"method.loss=meta-bsce runs on one device. Received: strategy={strategy}")
    needs_exemplars = method.about.second_stage in ("balancing", "correction")
    if not memory and method.has_second_stage and needs_exemplars:
        raise ValueError(
            f"the second stage of {method.name} needs exemplars, expected memory of 1 or more, "
            "or method.second_stage=false. Received: memory=0"
        )
    if method.trains_second_stage and second_stage is None:
        raise ValueError(
            f"method.name={method.name} has a second stage: expected a section second_stage"
        )
