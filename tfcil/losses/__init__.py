"""Losses of class-incremental learning: functions of one value per sample, and two Keras losses.

Keras is imported when the first of them is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "balanced": [
            "BalancedSoftmaxCrossentropy",
            "adjust_logits",
            "balanced_softmax_crossentropy",
        ],
        "boosting": ["effective_number_weights", "rescaled_crossentropy", "weighted_distillation"],
        "crossentropy": ["auxiliary_crossentropy", "sigmoid_crossentropy", "softmax_crossentropy"],
        "distillation": [
            "distribution_aware_distillation",
            "less_forget",
            "logit_distillation",
            "maximum_mean_discrepancy",
            "pod_flat",
            "pod_spatial",
        ],
        "norms": ["norm_alignment"],
        "ranking": ["margin_ranking", "margin_violations", "nca"],
        "robust": ["generalized_crossentropy", "reduced_jeffries_matusita"],
        "separated": ["separated_softmax_crossentropy", "taskwise_distillation"],
        "temporal": ["temporal_adjusted_crossentropy"],
        "triplets": ["triplet"],
        "wrapper": ["FunctionLoss"],
    },
)
