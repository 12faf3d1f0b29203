"""uppercase_head: steps of Adam, balanced classes, and only the head changes."""

from unittest import mock

import keras
import numpy as np
import pytest
from keras import ops
from numpy.testing import assert_allclose
from tiny_tasks import assert_same, of_backbone, run, state

from tfcil.classifier import copied
from tfcil.corrections import uppercase_head
from tfcil.corrections.uppercase_head import Options, check, correct, fitted_head
from tfcil.errors import UserError


def clouds(counts, distance=3.0):
    labels = np.repeat(np.arange(len(counts)), counts)
    generator = np.random.default_rng(0)
    centres = distance * generator.normal(size=(len(counts), 6))
    return centres[labels] + generator.normal(size=(len(labels), 6)), labels


def test_the_steps_are_those_of_adam():
    """The same batches by Keras's optimizer, with the linear rate and the coupled decay."""
    features, labels = clouds([5, 5, 5])
    options = Options(iterations=7, batch_size=4, learning_rate=0.1, weight_decay=0.3)
    kernel, bias = fitted_head(features, labels, options, np.random.default_rng(1))
    weights = keras.Variable(np.zeros((7, 3)), dtype="float64")
    adam = keras.optimizers.Adam(epsilon=1e-8)
    adam.build([weights])
    generator = np.random.default_rng(1)
    for rate in np.linspace(0.1, 1e-5, 7):
        drawn = generator.integers(15, size=4)
        x = np.concatenate([features[drawn], np.ones((4, 1))], axis=1)
        z = ops.softmax(ops.convert_to_tensor(x) @ weights)
        slopes = (np.asarray(z) - np.eye(3)[labels[drawn]]) / 4
        adam.learning_rate = rate
        adam.apply([ops.convert_to_tensor(x.T @ slopes + 0.3 * weights.numpy())])
    assert_allclose(kernel, weights[:-1], rtol=1e-4, atol=1e-5)
    assert_allclose(bias, weights[-1], rtol=1e-4, atol=1e-5)


def test_it_learns_what_is_separable_and_the_same_with_the_same_seed():
    features, labels = clouds([20] * 4)
    heads = [
        fitted_head(features, labels, Options(), np.random.default_rng(seed)) for seed in (3, 3, 4)
    ]
    kernel, bias = heads[0]
    assert np.mean((features @ kernel + bias).argmax(axis=1) == labels) > 0.95
    assert np.array_equal(kernel, heads[1][0])
    assert not np.array_equal(kernel, heads[2][0])


def test_the_head_alone_changes_and_is_fitted_on_balanced_classes():
    """3 exemplars of each old class, and of each new one as many of its 15 images."""
    plain = run("replay", correction="none").student
    task, model = run("replay").phases[0].task, copied(plain)
    with mock.patch.object(uppercase_head, "fitted_head", wraps=fitted_head) as fit:
        fitted = correct(task, None, model, Options())
    features, labels, *_ = fit.call_args.args
    assert np.bincount(labels).tolist() == [3] * 7
    assert features.shape == (21, 16)
    assert_same(of_backbone(state(plain)[0]), of_backbone(state(fitted)[0]))
    heads = [one.get_layer("logits").get_weights()[0] for one in (plain, fitted)]
    assert np.abs(heads[0] - heads[1]).max() > 1e-3


def test_a_class_without_an_image_is_refused():
    task = run("replay").phases[0].task
    with pytest.raises(
        UserError,
        match=r"^uppercase_head needs images of every class: expected memory of 1 or more per "
        r"class\. Received: no exemplar of 4 classes$",
    ):
        check(task.new(), Options())
