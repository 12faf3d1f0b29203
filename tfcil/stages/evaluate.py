"""Stage `evaluate@KEY`: a task's model on the test images of all classes seen so far."""

import numpy as np

from tfcil.classifier import num_classes, open_classifier, takes
from tfcil.data.store import Concatenated, read_images
from tfcil.errors import UserError
from tfcil.evaluation.matrix import confusion_matrix
from tfcil.evaluation.predict import predict
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json, write_json
from tfcil.stages.layout import Layout
from tfcil.training import make_deterministic


def evaluate(layout: Layout, params, key: str) -> None:
    """Writes evaluation/KEY.json: the split, correct predictions per task, the confusion matrix.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; nothing of it is read.
        key: the task.
    """
    make_deterministic()
    manifest = read_json(layout.seen(key))
    seen = manifest["seen"]
    parts = [read_images(layout.test_images(one["task"]), one["digest"]) for one in seen]
    images = Concatenated(*(part[0] for part in parts))
    labels = np.concatenate([part[1] for part in parts])
    model = _open(layout.model(key), images.shape[1:], labels.max() + 1)
    predictions = predict(model, images, ExemplarMemory.load(layout.memory(key)))
    first = np.cumsum([0, *(one["images"] for one in seen[:-1])])
    correct = {
        rule: np.add.reduceat(predicted == labels, first, dtype=int).tolist()
        for rule, predicted in predictions.items()
    }
    write_json(
        layout.evaluation(key),
        {
            "task": key,
            "split": manifest.get("split", "test"),
            "tasks": [one["task"] for one in seen],
            "images": [one["images"] for one in seen],
            "correct": correct,
            "confusion": confusion_matrix(
                labels, predictions["cnn"], model.output.shape[-1]
            ).tolist(),
        },
    )


def _open(path, image_shape, classes):
    model = open_classifier(path)
    if not takes(model, image_shape) or num_classes(model) != classes:
        raise UserError(
            f"Expected a model of {classes} classes that takes images {image_shape}. Received: "
            f"{num_classes(model)} classes, images {model.input.shape[1:]}, path={path}"
        )
    return model
