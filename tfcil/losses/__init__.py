"""Losses of class-incremental learning: functions of one value per sample, and Keras losses."""

from tfcil.losses.boosting import (
    RescaledCrossentropy,
    WeightedDistillation,
    effective_number_weights,
    rescaled_crossentropy,
    weighted_distillation,
)
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
from tfcil.losses.expansion import AuxiliaryCrossentropy, auxiliary_crossentropy
from tfcil.losses.ranking import NCA, MarginRanking, margin_ranking, margin_violations, nca
from tfcil.losses.separated import (
    SeparatedSoftmaxCrossentropy,
    TaskwiseDistillation,
    separated_softmax_crossentropy,
    taskwise_distillation,
)
from tfcil.losses.sigmoid import SigmoidCrossentropy, sigmoid_crossentropy

__all__ = [
    "NCA",
    "AuxiliaryCrossentropy",
    "BalancedSoftmaxCrossentropy",
    "LessForget",
    "LogitDistillation",
    "MarginRanking",
    "PodFlat",
    "PodSpatial",
    "RescaledCrossentropy",
    "SeparatedSoftmaxCrossentropy",
    "SigmoidCrossentropy",
    "TaskwiseDistillation",
    "WeightedDistillation",
    "adjust_logits",
    "auxiliary_crossentropy",
    "balanced_softmax_crossentropy",
    "effective_number_weights",
    "less_forget",
    "logit_distillation",
    "margin_ranking",
    "margin_violations",
    "nca",
    "pod_flat",
    "pod_spatial",
    "rescaled_crossentropy",
    "separated_softmax_crossentropy",
    "sigmoid_crossentropy",
    "taskwise_distillation",
    "weighted_distillation",
]
