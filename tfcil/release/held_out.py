"""Images that a model's training has not seen: of its classes, and of classes that came later."""

import numpy as np

from tfcil.classifier import LOGITS, expose, forward
from tfcil.config.params import load_params
from tfcil.data.store import Concatenated, read_images
from tfcil.errors import UserError
from tfcil.files import read_json
from tfcil.release.model_files import experiment_of
from tfcil.stages.finished import images_digest


def held_out_images(model, option):
    """Opens the validation images of the classes that a model knows.

    Args:
        model: path of the model, models/TASK.keras.
        option: the option that needs them, for the error.

    Returns:
        Images (n, height, width, channels), read where they are indexed, and labels (n,) int.

    Raises:
        UserError: the experiment holds no images out, or did not when the model was trained. Its
            test images are none: a figure that is chosen on them is no longer a test.
    """
    layout, key = experiment_of(model)
    manifest = read_json(layout.seen(key))
    if manifest["split"] != "validation":
        raise UserError(
            f"{option}: expected images held out of training; `validation: 0.1` in params.yaml, "
            f"then `dvc repro` or `tfcil run`, holds a tenth out. "
            f"Received: split={manifest['split']}"
        )
    for one in manifest["seen"]:
        log = layout.log(one["task"])
        if log.exists() and read_json(log).get("trained_on") != images_digest(layout, one["task"]):
            raise UserError(
                f"{option}: expected a model that was trained on the images as they are prepared "
                f"now; `dvc repro` or `tfcil run` trains it. Received: others in task {one['task']}"
            )
    return _images(layout, manifest["seen"])


def later_images(model):
    """Opens the validation images of classes that arrive after a model's task; `None`: no class."""
    layout, key = experiment_of(model)
    tasks = load_params(layout.params).tasks
    # A task that was added may not be prepared yet.
    *_, last = key, *(one for one in tasks if layout.seen(one).exists())
    first = len(read_json(layout.seen(key))["seen"])
    seen = read_json(layout.seen(last))["seen"][first:]
    return _images(layout, seen)[0] if seen else None


def _images(layout, seen):
    parts = [read_images(layout.test_images(one["task"]), one["digest"]) for one in seen]
    images, labels = zip(*parts, strict=True)
    return Concatenated(*images), np.concatenate(labels)


def logits_of(model, images) -> np.ndarray:
    """Computes the logits of images, (n, classes) float64; see `tfcil.classifier.forward`."""
    return np.float64(forward(expose(model, LOGITS), images)[LOGITS])
