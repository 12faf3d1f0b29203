"""Stage `train@KEY`: trains a task's model from its images, the model and the memory before."""

import contextlib
import csv
import sys

import keras
import numpy as np

from tfcil.classifier import FeatureCache, open_classifier, save_classifier
from tfcil.config.settings import TaskSettings
from tfcil.console import training_progress
from tfcil.data.encoded import EncodedImages
from tfcil.data.store import Concatenated, read_facts, read_images
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json, read_npz, save_npz, write_atomically, write_json
from tfcil.learning.task import train_task
from tfcil.stages.finished import images_digest, inputs_digest, is_finished, outputs_digests
from tfcil.stages.layout import Layout
from tfcil.stages.tensorboard import scalars
from tfcil.stages.training_log import Stopwatch
from tfcil.training.checkpoint import Checkpoint
from tfcil.training.determinism import make_deterministic

COLUMNS = ("epoch", "phase", "images", "loss", "accuracy")  # of every curve


def train(layout: Layout, params, key: str) -> None:
    """Writes a task's model and class names, features of its images, its training curve and log.

    Reads the chain of tasks and `tensorboard`; recipes/KEY.json has the settings of the training.
    """
    make_deterministic()
    keras.utils.clear_session()
    settings = TaskSettings.of(read_json(layout.recipe(key)), str(layout.recipe(key)))
    before = params.tasks[key].after
    inputs = inputs_digest(layout, params, key)
    title = f"task {key} ({[*params.tasks].index(key) + 1} of {len(params.tasks)})"
    if is_finished(layout, key, inputs):
        print(f"{title}: unchanged", file=sys.stderr)
        return
    layout.checkpoint(before).unlink(missing_ok=True)
    checkpoint = Checkpoint(layout.checkpoint(key), inputs)
    images, labels, memory = _read(layout, key, before, sum(settings.earlier or ()))
    extract = FeatureCache(layout.cache)
    stopwatch = Stopwatch(layout.unfinished_log(key), inputs)
    with (
        _named(title),
        training_progress(title) as show,
        scalars(layout.tensorboard(params.tensorboard, key)) as write_scalars,
    ):
        student, curve, statistics = train_task(
            lambda: open_classifier(layout.model(before)),
            Concatenated(images, memory.images),
            np.concatenate([labels, memory.labels]),
            settings,
            lambda row, epochs: (show(row, epochs), write_scalars(row), stopwatch.keep()),
            checkpoint,
            memory.original_counts,
            read_npz(layout.statistics(before)),
            extract,
        )
    log = stopwatch.log(key, curve)
    features = extract(student, images)
    save_classifier(student, layout.model(key))
    write_json(layout.class_names(key), read_facts(layout.train_images(key)))
    save_npz(layout.features(key), features=features, labels=labels)
    save_npz(layout.statistics(key), **statistics)
    _write_curve(layout.curve(key), curve)
    log |= {"inputs": inputs, "outputs": outputs_digests(layout, key)}
    log["trained_on"] = images_digest(layout, key)
    write_json(layout.log(key), log)


@contextlib.contextmanager
def _named(title):
    """Puts the task's title before an error."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{title}: {error}") from None


def _read(layout, key, before, num_old):
    """Reads the task's images and the memory, and checks that they fit together."""
    images, labels = read_images(layout.train_images(key))
    memory = ExemplarMemory.load(layout.memory(before))
    if labels.min() < num_old:
        raise UserError(
            f"Expected labels of the new classes, from {num_old} on. "
            f"Received: label {labels.min()} in folder={layout.train_images(key)}"
        )
    largest = memory.labels.max(initial=-1)
    is_encoded = isinstance(images, EncodedImages)
    if len(memory) and memory.is_encoded != is_encoded:
        raise UserError(
            f"Expected a memory of images that are stored as the new ones, encoded={is_encoded}. "
            f"Received: encoded={memory.is_encoded} in path={layout.memory(before)}"
        )
    if memory.images.shape[1:] != images.shape[1:] or largest >= num_old:
        raise UserError(
            f"Expected a memory of images {images.shape[1:]} of the {num_old} classes before. "
            f"Received: images {memory.images.shape[1:]}, largest label {largest} in "
            f"path={layout.memory(before)}"
        )
    return images, labels, memory


def _write_curve(path, curve) -> None:
    with write_atomically(path) as aside, aside.open("w", newline="") as file:
        # The phases of a training have different terms; a closed-form method trains none.
        names = dict.fromkeys([*COLUMNS, *(name for row in curve for name in row)])
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(curve)
