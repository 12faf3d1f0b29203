"""Stage `start`: a model that knows no class, and a memory that holds nothing."""

import sys

import keras

from tfcil.classifier import save_classifier, untrained
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json
from tfcil.stages.bfloat16 import bfloat16_warning
from tfcil.stages.layout import START, Layout


def start(layout: Layout, params) -> None:
    """Writes models/start.keras and memory/start.npz.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; only `seed` and `model` are read.
    """
    warning = bfloat16_warning(params.model.precision, keras.distribution.list_devices())
    if warning:
        print(warning, file=sys.stderr)
    images = read_json(layout.image_format)
    model = untrained(
        params.model.backbone,
        images["shape"],
        images["mean"],
        images["std"],
        weights=params.model.weights,
        precision=params.model.precision,
        last_relu=params.model.last_relu,
        seed=params.seed,
    )
    save_classifier(model, layout.model(START))
    ExemplarMemory.empty(images["shape"]).save(layout.memory(START))
