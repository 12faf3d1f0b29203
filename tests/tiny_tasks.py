"""Three tiny tasks, learned by any method once; tests share the results.

Run as `python tiny_tasks.py OUT STRATEGY CPUS RUN...` it learns the second task by each of these
methods, on the Keras backend of the environment and with CPUS logical devices, and writes an npz:
`curves` as JSON, and the weights of each student. A RUN is NAME/LOSS, or
NAME/LOSS/KEY=VALUE with another key of the recipe, or NAME/LOSS/COMPONENT.KEY=VALUE with another
option, or NAME/LOSS/correction=NAME; or `chain`, see there; `chain alone` uses one of the devices.
"""

import functools
import json
import os
import subprocess
import sys
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import yaml
from characters import characters

CLASSES = ((0, 4), (4, 7), (7, 9))  # of each task: 15 images of each, later 3 exemplars
EXEMPLARS = 3
# A small rate: at a large one, ReLU and pooling make much of differences in the last digit.
RECIPE = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "crop_padding": 2, "flip": True}
OPTIONS = {  # of components, unless a test says otherwise
    "podnet": {"proxies": 3},
    "mmd": {"triplet_weight": 0.5, "classes_per_step": 4},
    "ssil": {"replay_batch_size": 6},
    "bias_layer": {"held_out": 0.4},
    "balanced_finetuning": {"epochs": 1, "learning_rate": 1e-3, "schedule": "cosine"},
}
CORRECTIONS = {"lucir": "balanced_finetuning"}  # so that its own fine-tuning is trained, too


class Watched(NamedTuple):
    """One phase that was watched.

    Attributes:
        name: of the phase.
        task: the `Task` whose images it saw.
        plan: its `Plan`.
        student: the weights before and after it, by layer.
        teacher: the weights of the teacher before and after it, or [None, None].
        hooks: number of its `BeforeStep`s.
    """

    name: str
    task: Any
    plan: Any
    student: list
    teacher: list
    hooks: int

    def seen(self):
        """The images of all steps, a list of arrays of indices."""
        plan = self.plan
        return [indices for epoch in range(plan.epochs) for _, indices, _ in plan.epoch(epoch)]


class Run(NamedTuple):
    """One task that was learned: what went in, what came out, and its phases."""

    teacher: Any
    student: Any
    curve: list
    phases: list
    images: np.ndarray
    labels: np.ndarray
    teacher_before: tuple


@functools.cache
def dataset():
    return characters(0, 10)


def images_of(first, last, exemplars=EXEMPLARS):
    """The images of the classes from `first` to `last`, and exemplars of those before."""
    images, labels = dataset()
    chosen = [np.flatnonzero((labels >= first) & (labels < last))]
    chosen += [np.flatnonzero(labels == label)[:exemplars] for label in range(first)]
    chosen = np.concatenate(chosen)
    return images[chosen], labels[chosen]


def state(model):
    """The weights of a model by layer, copied, and which layers are trainable."""
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    return weights, [layer.trainable for layer in model.layers]


def head_of(weights):
    """The arrays of the head."""
    return weights["logits"]


def of_backbone(weights):
    """Weights and batch statistics of all layers but the heads."""
    # Those that begin with "_" show the variables of the head once more.
    return {
        name: values
        for name, values in weights.items()
        if values and name not in ("logits", "auxiliary") and not name.startswith("_")
    }


def assert_same(first, second):
    """Compares the weights of two models, to the bit."""
    assert first.keys() == second.keys()
    for name in first:
        for value, kept in zip(first[name], second[name], strict=True):
            np.testing.assert_array_equal(value, kept, err_msg=name)


def network():
    """One convolution and a batch normalisation: every step compiles in no time."""
    import keras

    inputs = keras.Input((28, 28, 1), name="image")
    x = keras.layers.Rescaling(1 / 60, -1 / 3, name="normalisation")(inputs)
    x = keras.layers.Conv2D(16, 5, strides=3, name="convolution")(x)
    x = keras.layers.BatchNormalization(name="normalised")(x)
    x = keras.layers.Activation("linear", name="map1")(x)
    x = keras.layers.Activation("relu", name="positive")(x)
    x = keras.layers.GlobalAveragePooling2D(name="features")(x)
    return _drawn(keras.Model(inputs, x, name="classifier"), 0.3)


def _drawn(model, scale):
    """Draws the convolutions: each backend draws its own numbers from a seed."""
    generator = np.random.default_rng(5)
    model.set_weights(
        [
            generator.normal(0, scale or (2 / np.prod(value.shape[:3])) ** 0.5, value.shape)
            if value.ndim == 4
            else value
            for value in model.get_weights()
        ]
    )
    return model


def choice_of(name, loss="ce", correction=None, **options):
    """The components of an experiment, as params.yaml names them; `options` by component."""
    from tfcil.components.registry import find
    from tfcil.config.settings import Method, choose

    method = Method(name=name, loss=loss, correction=correction or CORRECTIONS.get(name, "default"))
    free = not find("method", name).facts.memory or find("loss", loss).facts.memory == "refuses"
    return choose(method, OPTIONS | options, 0 if free else 100)


def task_settings(components, **others):
    from tfcil.config.settings import TaskSettings

    return TaskSettings.of({"recipe": RECIPE, "seed": 5} | components | others, "settings")


def first_task(choice):
    """The model after the first task, for the methods with this head and this loss."""
    return _first_task(task_settings(choice.first_task()).model_dump_json())


@functools.cache
def _first_task(settings):
    return trained(network, *images_of(*CLASSES[0]), task_settings(json.loads(settings)))[0]


def trained(open_teacher, images, labels, settings):
    """The model that knows one more task, and its curve; the same bytes every time."""
    from tfcil.learning.task import train_task
    from tfcil.training import make_deterministic

    make_deterministic()
    return train_task(open_teacher, images, labels, settings)


def learn(teacher, number, choice, exemplars=EXEMPLARS, **others):
    """Learns a task by the components of a choice, which is watched.

    Args:
        teacher: the model before.
        number: of the task; 0 is the first.
        choice: the `Choice`.
        exemplars: of each old class.
        others: of the settings, or `images` and `labels` instead of those of the task.
    """
    from tfcil.training import train

    images, labels = images_of(*CLASSES[number], exemplars)
    images, labels = others.pop("images", images), others.pop("labels", labels)
    phases, before, own_fit = [], state(teacher), train.fit

    def fit(training, task, *arguments):
        models = training.student, training.teacher
        was = [one and state(one)[0] for one in models]
        curve = own_fit(training, task, *arguments)
        now = [one and state(one)[0] for one in models]
        pairs = [list(pair) for pair in zip(was, now, strict=True)]
        phases.append(Watched(training.name, task, training.plan, *pairs, len(training.hooks)))
        return curve

    earlier = [last - first for first, last in CLASSES[:number]] or None
    components = choice.later_task() if number else choice.first_task()
    chosen = task_settings(components, earlier=earlier, **others)
    with mock.patch.object(train, "fit", fit):
        student, curve, _ = trained(lambda: teacher, images, labels, chosen)
    return Run(teacher, student, curve, phases, images, labels, before)


def run(name, loss="ce", correction=None, **options):
    """Learns the second task by a method; the same one only once."""
    return _run(name, loss, correction, json.dumps(options))


@functools.cache
def _run(name, loss, correction, options):
    choice = choice_of(name, loss, correction, **json.loads(options))
    return learn(first_task(choice), 1, choice)


def learn_as_named(name, strategy="none"):
    """Learns the second task as a RUN says."""
    choice, recipe = as_named(name)
    return learn(first_task(choice), 1, choice, recipe=recipe, strategy=strategy)


def as_named(name):
    """The choice and the recipe of a RUN."""
    method, loss, *changes = name.split("/")
    recipe, options = dict(RECIPE), {}
    for change in changes:
        key, _, value = change.partition("=")
        *component, key = key.split(".")
        section = options.setdefault(*component, {}) if component else recipe
        section[key] = yaml.safe_load(value)
    return choice_of(method, loss, recipe.pop("correction", None), **options), recipe


def chain(strategy="none"):
    """Learns a first and a second task with a real backbone, in two epochs each.

    The second one sees 6 new classes in full, and 2 images of each of the 4 old ones.

    Returns:
        The model after the first task, its weights at that time, the curve of both tasks, and the
        model after the second.
    """
    from tfcil.classifier import untrained

    choice = choice_of("baseline", "bsce")
    others = {"recipe": RECIPE | {"epochs": 2, "batch_size": 20}, "strategy": strategy}
    first = task_settings(choice.first_task(), **others)
    second = task_settings(choice.later_task(), earlier=[4], **others)
    model = _drawn(untrained("simple_cnn", (28, 28, 1), [20.0], [60.0], seed=5), None)
    base, base_curve, _ = trained(lambda: model, *images_of(0, 4), first)
    before = base.get_weights()
    student, curve, _ = trained(lambda: base, *images_of(4, 10, exemplars=2), second)
    return base, before, base_curve + curve, student


def in_a_process(out, backend, strategy, cpus, names):
    """Runs this file in a process of its own; returns the curves and the weights by RUN."""
    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiles in half the time
    }
    command = [sys.executable, __file__, str(out), strategy, str(cpus), *names]
    subprocess.run(command, env=environment, check=True)
    return found(out, names)


def found(out, names):
    """The curves and the weights by RUN that `main` has written."""
    with np.load(out) as stored:
        arrays = dict(stored)
    curves = json.loads(str(arrays.pop("curves")))
    weights = {name: [] for name in names}
    for key, value in arrays.items():
        weights[key.rpartition("/")[0]].append(value)
    return curves, weights


def learn_on_machines(name, teacher, out):
    """Learns the second task as a RUN says, on one of several machines; the chief writes."""
    from tfcil.classifier import open_classifier

    choice, recipe = as_named(name)
    others = {"recipe": recipe, "strategy": "multi_worker", "earlier": [CLASSES[0][1]]}
    settings = task_settings(choice.later_task(), **others)
    open_teacher = functools.partial(open_classifier, teacher)
    student, curve, _ = trained(open_teacher, *images_of(*CLASSES[1]), settings)
    write(out, {name: curve}, {name: student})


def write(out, curves, students):
    """Writes what `found` reads."""
    weights = {
        f"{name}/{number:03}": value
        for name, student in students.items()
        for number, value in enumerate(student.get_weights())
    }
    np.savez(out, curves=json.dumps(curves), **weights)


def main(out, strategy, cpus, *names):
    if int(cpus) > 1:
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * int(cpus),
        )
    curves, students = {}, {}
    for name in names:
        if name.startswith("chain"):
            *_, curves[name], students[name] = chain("none" if name == "chain alone" else strategy)
        else:
            _, students[name], curves[name], *_ = learn_as_named(name, strategy)
    write(out, curves, students)


if __name__ == "__main__":
    main(*sys.argv[1:])
