"""Stage `select@KEY`: chooses the exemplars of a task, and drops older ones to make room."""

import numpy as np

from tfcil.data.store import read_images
from tfcil.exemplars import ExemplarMemory
from tfcil.files import load_npz
from tfcil.stages.layout import Layout


def select(layout: Layout, params, key: str) -> None:
    """Writes memory/KEY.npz; reads `seed`, `memory` and `exemplars`."""
    images, labels = read_images(layout.train_images(key))
    (features,) = load_npz(layout.features(key), "features")
    memory = ExemplarMemory.load(layout.memory(params.tasks[key].after))
    num_seen = int(labels.max()) + 1
    memory.update(
        images,
        labels,
        features,
        num_seen,
        budget=params.memory,
        per_class=params.exemplars.per_class,
        selection=params.exemplars.selection,
        generator=np.random.default_rng([params.seed, num_seen]),
    ).save(layout.memory(key))
    # Not in `train`: only now has DVC recorded that the training is finished.
    layout.checkpoint(key).unlink(missing_ok=True)
