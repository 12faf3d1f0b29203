"""Stage `train@KEY`: the model before, the memory before and a task's images make its model."""

import csv

import keras
import numpy as np

from tfcil.classifier import FEATURES, expose, open_classifier, save_classifier
from tfcil.console import training_progress
from tfcil.data.store import Concatenated, read_facts, read_images
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json, save_npz, write_atomically, write_json
from tfcil.inference import forward
from tfcil.params import TaskSettings
from tfcil.stages.layout import Layout
from tfcil.training import make_deterministic, train_task


def train(layout: Layout, params, key: str) -> None:
    """Writes a task's model, its class names, the features of its images and its training curve.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; what decides the training comes from recipes/KEY.json.
        key: the task.
    """
    make_deterministic()
    keras.utils.clear_session()
    settings = TaskSettings.of(read_json(layout.recipe(key)), str(layout.recipe(key)))
    before = params.tasks[key].after
    images, labels = read_images(layout.train_images(key))
    memory = ExemplarMemory.load(layout.memory(before))
    title = f"task {key} ({[*params.tasks].index(key) + 1} of {len(params.tasks)})"
    with training_progress(title, settings.epochs) as on_epoch:
        student, curve = train_task(
            lambda: open_classifier(layout.model(before)),
            Concatenated(images, memory.images),
            np.concatenate([labels, memory.labels]),
            settings,
            on_epoch,
        )
    features = forward(expose(student, FEATURES), images)[FEATURES]
    save_classifier(student, layout.model(key))
    write_json(
        layout.class_names(key), {"classes": read_facts(layout.train_images(key))["classes"]}
    )
    save_npz(layout.features(key), features=features, labels=labels)
    _write_curve(layout.curve(key), curve)


def _write_curve(path, curve) -> None:
    with write_atomically(path) as aside, aside.open("w", newline="") as file:
        # The stages of a training have terms of their own.
        writer = csv.DictWriter(file, {name: None for row in curve for name in row})
        writer.writeheader()
        writer.writerows(curve)
