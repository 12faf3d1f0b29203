"""Stage `evaluate@KEY`: tests a task's model on images of all classes seen so far."""

import numpy as np

from tfcil.classifier import FeatureCache, num_classes, open_classifier, takes
from tfcil.data.store import Concatenated, read_images
from tfcil.errors import UserError
from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.figures import compute_figures
from tfcil.evaluation.matrix import confusion_matrix
from tfcil.evaluation.registry import all_rules, primary
from tfcil.exemplars import ExemplarMemory
from tfcil.files import file_digest, read_json, write_json
from tfcil.stages.layout import Layout
from tfcil.training.determinism import make_deterministic


def evaluate(layout: Layout, params, key: str) -> None:
    """Writes evaluation/KEY.json; reads nothing of `params`.

    The file holds the digest of the model's file; the split; the number of correct predictions per
    task, by rule; the confusion matrix of the primary rule; the training images of each class; and
    the measures.
    """
    make_deterministic()
    manifest = read_json(layout.seen(key))
    seen = manifest["seen"]
    parts = [read_images(layout.test_images(one["task"]), one["digest"]) for one in seen]
    images = Concatenated(*(part[0] for part in parts))
    labels = np.concatenate([part[1] for part in parts])
    model = _open(layout.model(key), images.shape[1:], labels.max() + 1)
    cache = FeatureCache(layout.cache)

    def run(images):
        return cache.outputs(model, images)

    num_old = sum(len(one["class_sizes"]) for one in seen[:-1])
    evidence = Evidence(run, images, labels, ExemplarMemory.load(layout.memory(key)), num_old)
    predictions = {name: rule.predict(evidence) for name, rule in all_rules().items()}
    first = np.cumsum([0, *(one["images"] for one in seen[:-1])])
    confusion = confusion_matrix(labels, predictions[primary()], evidence.num_classes)
    write_json(
        layout.evaluation(key),
        {
            "task": key,
            "model": file_digest(layout.model(key)),
            "split": manifest["split"],
            "tasks": [one["task"] for one in seen],
            "images": [one["images"] for one in seen],
            "correct": {
                rule: np.add.reduceat(predicted == labels, first, dtype=int).tolist()
                for rule, predicted in predictions.items()
                if predicted is not None
            },
            "confusion": confusion.tolist(),
            "class_sizes": [size for one in seen for size in one["class_sizes"]],
            "measures": compute_figures(evidence, read_json(layout.asked_measures)),
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
