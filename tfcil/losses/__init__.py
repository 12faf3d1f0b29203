"""Losses of class-incremental learning: functions of one value per sample, and Keras losses."""

from tfcil.losses.classification import (
    BalancedSoftmaxCrossentropy,
    adjust_logits,
    balanced_softmax_crossentropy,
)
from tfcil.losses.distillation import (
    LessForget,
    LogitDistillation,
    PodFlat,
    PodSpatial,
    less_forget,
    logit_distillation,
    pod_flat,
    pod_spatial,
)
from tfcil.losses.ranking import NCA, MarginRanking, margin_ranking, nca

__all__ = [
    "NCA",
    "BalancedSoftmaxCrossentropy",
    "LessForget",
    "LogitDistillation",
    "MarginRanking",
    "PodFlat",
    "PodSpatial",
    "adjust_logits",
    "balanced_softmax_crossentropy",
    "less_forget",
    "logit_distillation",
    "margin_ranking",
    "nca",
    "pod_flat",
    "pod_spatial",
]
