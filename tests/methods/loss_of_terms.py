"""What the loss of a method is made of, for tests: its terms and their weighted sum."""

import numpy as np
import tensorflow as tf

from tfcil.method_options import Method
from tfcil.methods import Batch, Increment, method_named
from tfcil.training.objective import objective


def options(name, loss="ce", **others):
    return Method(name=name, loss=loss, **others)


def increment(num_old, num_new, per_old=2, per_new=10, earlier=None):
    counts = (per_old,) * num_old + (per_new,) * num_new
    return Increment(num_old, num_new, counts, earlier or (num_old,))


def terms_of(chosen, task, second_stage=False):
    """The terms that a method's training consists of, those of its second stage if asked for."""
    method = method_named(chosen.name)
    stage = method.second_stage if second_stage else method
    return stage.terms(chosen, task)


def loss_of(terms, labels, student, teacher=None, alpha=1.0):
    """The loss of one batch and its terms before their weights, as a training step has them."""
    sizes = [term.size(np.asarray(labels)) for term in terms]
    batch = Batch(tf.constant(labels, "int32"), student, teacher, alpha)
    if "logits" not in student:  # the accuracy of the curve reads them
        student["logits"] = tf.zeros((len(labels), 1))
    return objective(terms, sizes, len(labels), batch)


def loss_and_gradients(terms, labels, inputs, outputs, teacher=None):
    """The loss and its gradients with respect to `inputs`, by their names.

    Args:
        terms: list of `tfcil.methods.Term`.
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
