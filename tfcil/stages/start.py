"""Stage `start`: makes a model without classes and an empty memory."""

import sys

import keras

from tfcil.classifier import save_classifier, untrained
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json
from tfcil.stages.bfloat16 import bfloat16_warning
from tfcil.stages.layout import START, Layout


def start(layout: Layout, params) -> None:
    """Writes models/start.keras and memory/start.npz; reads `seed` and `model`."""
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
