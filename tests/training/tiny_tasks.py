"""Three tiny tasks, learned by any method once; tests share what came of it.

Run as `python tiny_tasks.py OUT STRATEGY CPUS RUN...` it learns the second task by each of these
methods, on the Keras backend of the environment and with CPUS logical devices, and writes an npz:
`curves` as JSON, and the weights of each student as RUN/0, RUN/1, ... A RUN is NAME:LOSS, or
NAME:LOSS:SIZE with another size of the batch.
"""

import dataclasses
import functools
import json
import sys
from unittest import mock

import numpy as np

CLASSES = ((0, 4), (4, 7), (7, 9))  # of each task: 15 images of each, later 3 exemplars
EXEMPLARS = 3
# A small rate: at a large one, ReLU and pooling make much of differences in the last digit.
RECIPE = {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "crop_padding": 2, "flip": True}
OPTIONS = {  # what a run has unless it says otherwise: small, and with all stages
    "lucir": {"second_stage": True},
    "podnet": {"proxies": 3},
    "ssil": {"replay_batch_size": 6},
    "bic": {"held_out": 0.4},
}


@dataclasses.dataclass
class Stage:
    """One training that was watched: its `Plan`, and the weights before and after, by layer."""

    name: str
    plan: object
    student: list
    teacher: list
    has_coefficient: bool


@dataclasses.dataclass
class Run:
    """One task that was learned: what went in, what came out, and what was seen meanwhile."""

    teacher: object
    student: object
    curve: list
    stages: list
    increments: list
    images: np.ndarray
    labels: np.ndarray
    teacher_before: tuple


@functools.cache
def dataset():
    from tfcil.config.params import Dataset
    from tfcil.data.datasets import load_dataset

    loaded = load_dataset(Dataset(name="omniglot100"))
    chosen = loaded.train_labels < CLASSES[-1][1]
    return loaded.train_images[chosen], loaded.train_labels[chosen]


def task_images(number):
    """The images of a task's own classes, and the exemplars of those before."""
    images, labels = dataset()
    first, last = CLASSES[number]
    chosen = [np.flatnonzero((labels >= first) & (labels < last))]
    chosen += [np.flatnonzero(labels == label)[:EXEMPLARS] for label in range(first)]
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


def settings(**values):
    from tfcil.config.params import TaskSettings

    recipe = {"recipe": RECIPE, "second_stage": RECIPE, "seed": 5}
    return TaskSettings.of(recipe | values, "settings")


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
    model = keras.Model(inputs, x, name="classifier")
    # Each backend draws its own numbers from a seed; these are the same on all.
    kernel, bias = model.get_layer("convolution").get_weights()
    drawn = np.random.default_rng(5).normal(0, 0.3, kernel.shape)
    model.get_layer("convolution").set_weights([drawn, bias])
    return model


@functools.cache
def first_task(first, strategy="none"):
    """The model after the first task, for the methods with this head and this loss."""
    from tfcil.training import make_deterministic, train_task

    make_deterministic()
    model = network()
    return train_task(lambda: model, *task_images(0), settings(first_task=first))[0]


def learn(teacher, number, method, strategy="none", **others):
    """Learns a later task by a method, which is watched."""
    from tfcil.training import train_task, trainer

    stages, increments, before = [], [], state(teacher)
    own_fit, own_method_named = trainer.fit, trainer.method_named

    def fit(training, *arguments):
        models = training.student, training.teacher
        was = [one and state(one)[0] for one in models]
        curve = own_fit(training, *arguments)
        now = [one and state(one)[0] for one in models]
        pairs = [list(pair) for pair in zip(was, now, strict=True)]
        stages.append(Stage(training.stage, training.plan, *pairs, training.meta is not None))
        return curve

    def method_named(name):
        found = own_method_named(name)

        def terms(options, increment):
            increments.append(increment)
            return found.terms(options, increment)

        return dataclasses.replace(found, terms=terms)

    images, labels = task_images(number)
    earlier = [last - first for first, last in CLASSES[:number]]
    chosen = settings(method=method, first_task=None, earlier=earlier, strategy=strategy, **others)
    with mock.patch.multiple(trainer, fit=fit, method_named=method_named):
        student, curve = train_task(lambda: teacher, images, labels, chosen)
    return Run(teacher, student, curve, stages, increments, images, labels, before)


@functools.cache
def run(name, loss="ce", **options):
    """Learns the second task by a method; the same one only once."""
    from tfcil.config.params import Method

    method = Method(name=name, loss=loss, **(OPTIONS.get(name, {}) | options))
    return learn(first_task(method.first_task()), 1, method)


def learn_as_named(name, strategy="none"):
    """Learns the second task as a RUN says."""
    from tfcil.config.params import Method

    method, loss, *size = name.split(":")
    chosen = Method(name=method, loss=loss, **OPTIONS.get(method, {}))
    recipe = RECIPE | {"batch_size": int(*size)} if size else RECIPE
    others = {"recipe": recipe, "second_stage": recipe}
    return learn(first_task(chosen.first_task()), 1, chosen, strategy, **others)


def in_a_process(out, backend, strategy, cpus, names):
    """Runs this file in a process of its own; returns the curves and the weights by method."""
    import os
    import subprocess

    environment = os.environ | {
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    command = [sys.executable, __file__, str(out), strategy, str(cpus), *names]
    subprocess.run(command, env=environment, check=True)
    with np.load(out) as stored:
        curves = json.loads(str(stored["curves"]))
        weights = {
            name: [stored[f"{name}/{i}"] for i in range(len(stored)) if f"{name}/{i}" in stored]
            for name in names
        }
    return curves, weights


def main(out, strategy, cpus, *names):
    if int(cpus) > 1:
        import tensorflow as tf

        tf.config.set_logical_device_configuration(
            tf.config.list_physical_devices("CPU")[0],
            [tf.config.LogicalDeviceConfiguration()] * int(cpus),
        )
    curves, weights = {}, {}
    for name in names:
        found = learn_as_named(name, strategy)
        curves[name] = found.curve
        weights |= {f"{name}/{i}": value for i, value in enumerate(found.student.get_weights())}
    np.savez(out, curves=json.dumps(curves), **weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
