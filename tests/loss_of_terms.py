"""The loss of a method, for tests: the phases it asks for, and the sum of their terms."""

import dataclasses
import functools

import keras
import numpy as np
import tensorflow as tf

from tfcil import classifier
from tfcil.components.facts import Head
from tfcil.components.recipe import Recipe
from tfcil.components.registry import find, names
from tfcil.training import Batch, Task
from tfcil.training.objective import objective

# Methods that train; the others compute their head.
TRAINED = [name for name in names("method") if not find("method", name).facts.keeps_statistics]
SHAPE = (1, 3, 1)  # of images; the features are their pixels


def task_of(num_old, counts, earlier=None, loss="ce", **options):
    """A task after the first one, without a teacher.

    Args:
        num_old: number of old classes.
        counts: images of each class.
        earlier: number of classes of each task before; by default they were one.
        loss: name of the classification loss.
        options: of the loss.
    """
    labels = np.repeat(np.arange(len(counts)), counts)
    return Task(
        teacher=None,
        num_old=num_old,
        num_new=len(counts) - num_old,
        earlier=earlier or (num_old,),
        images=np.zeros((len(labels), *SHAPE), "uint8"),
        labels=labels,
        recipe=Recipe(epochs=1),
        head=Head(),
        loss=find("loss", loss, options).defined("term"),
        generator=np.random.default_rng(3),
    )


def phases_of(name, loss="ce", num_old=8, num_new=2, images=(2, 10), earlier=None, **options):
    """The phases that a method asks for, and its own balanced fine-tuning last; nothing is trained.

    Args:
        name: of the method.
        loss: name of the classification loss.
        num_old: number of old classes.
        num_new: number of new classes.
        images: of each old and of each new class.
        earlier: as for `task_of`.
        options: of the method.
    """
    method, phases = find("method", name, options), []
    task = task_of(num_old, [images[0]] * num_old + [images[1]] * num_new, earlier, loss)
    drawn = np.random.default_rng(2).integers(0, 256, task.images.shape, dtype="uint8")
    teacher = _teacher(num_old, method.head)
    task = dataclasses.replace(task, head=method.head, teacher=teacher, images=drawn)

    def train(task, phase):
        phases.append(phase)
        return phase.student

    trained = method.defined("learn")(task, train)
    finetuning = method.defined("finetuning")
    return [*phases, finetuning(task, trained)] if finetuning else phases


@functools.cache
def _teacher(num_old, head):
    inputs = keras.Input(SHAPE)
    features = keras.layers.Flatten(name="features")(inputs)
    model = keras.Model(inputs, features)
    return classifier.plain(classifier.grown(model, num_old, np.random.default_rng(1), head))


def loss_of(terms, labels, student, teacher=None, **others):
    """The loss of one batch and its terms before their weights, as a training step has them.

    Args:
        terms: list of `Term`.
        labels: (batch,) integers.
        student: dictionary of the student's outputs.
        teacher: that of the teacher's, or `None`.
        others: fields of `Batch`.
    """
    sizes = [term.size(np.asarray(labels)) for term in terms]
    if "logits" not in student:  # the accuracy of the curve reads them
        student = student | {"logits": tf.zeros((len(labels), 1))}
    batch = Batch(tf.constant(labels, "int32"), student, teacher, **others)
    return objective(terms, sizes, len(labels), batch)


def loss_and_gradients(terms, labels, inputs, outputs=dict, teacher=None):
    """The loss and its gradients with respect to `inputs`, by their names.

    Args:
        terms: list of `Term`.
        labels: (batch,) integers.
        inputs: dictionary of arrays; float32, as in a training step, is made of them.
        outputs: function of the dictionary of tensors to the student's outputs.
        teacher: dictionary of the teacher's outputs.
    """
    inputs = {name: tf.constant(values, "float32") for name, values in inputs.items()}
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss, _ = loss_of(terms, labels, outputs(inputs), teacher)
    return float(loss), tape.gradient(loss, inputs)
