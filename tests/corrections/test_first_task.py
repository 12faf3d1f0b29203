"""Classes of unequal size in the first task: what balances them there, where it is asked for."""

import keras
import numpy as np
import pytest
from tiny_tasks import RECIPE, choice_of, head_of, images_of, learn, network

from tfcil.classifier import LOGITS, expose, forward, num_classes

COUNTS = np.array([15, 12, 6, 3])
# One step on all images, as they are: the loss can be computed from the first weights.
ONE_STEP = RECIPE | {"batch_size": int(COUNTS.sum()), "crop_padding": 0, "flip": False}


def learned(name="replay", loss="ce", correction="none", recipe=ONE_STEP, **options):
    """The first task with unequal classes, watched."""
    images, labels = images_of(0, 4)
    kept = np.concatenate([np.flatnonzero(labels == k)[:n] for k, n in enumerate(COUNTS)])
    choice = choice_of(name, loss, correction, **options)
    return learn(network(), 0, choice, images=images[kept], labels=labels[kept], recipe=recipe)


def first_logits(found):
    """The logits of all images in training mode, before the first step."""
    model = keras.models.clone_model(found.student)
    for layer in model.layers:
        layer.set_weights(found.phases[0].student[0][layer.name])
    return keras.ops.convert_to_numpy(model(found.images, training=True))


def cross_entropy(logits, labels):
    logits = np.asarray(logits, "float64")
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    return -np.log(probabilities[np.arange(len(labels)), labels]).mean()


@pytest.mark.parametrize(
    ("loss", "options", "shift"),
    [
        ("ce", {}, 0),
        ("bsce", {}, 0),  # of later tasks alone, unless it is asked for
        ("bsce", {"first_task": True}, np.log(COUNTS)),
        ("bsce", {"first_task": True, "tau": 0.5}, 0.5 * np.log(COUNTS)),
    ],
)
def test_a_balanced_softmax_trains_the_first_task_where_its_option_says_so(loss, options, shift):
    found = learned(loss=loss, bsce=options)
    assert [phase.name for phase in found.phases] == ["main"]
    expected = cross_entropy(first_logits(found) + shift, found.labels)
    assert found.curve[0]["classification"] == pytest.approx(expected, rel=1e-5)


def test_balanced_first_tasks_differ_from_plain_ones():
    """With raw logits: the frequent class is favoured less."""
    recipe = RECIPE | {"epochs": 4, "learning_rate": 0.1}
    plain = learned(recipe=recipe)
    balanced = learned(loss="bsce", bsce={"first_task": True}, recipe=recipe)

    def favour(found):
        mean = forward(expose(found.student, LOGITS), found.images)[LOGITS].mean(axis=0)
        return mean[0] - mean[3]

    assert favour(balanced) < favour(plain) - 0.3


@pytest.mark.parametrize("name", ["replay", "lucir"])
def test_logit_adjustment_follows_the_first_task_where_its_option_says_so(name):
    plain = learned(name)
    adjusted = learned(name, correction="logit_adjustment", logit_adjustment={"first_task": True})
    unasked = learned(name, correction="logit_adjustment")
    shift = -np.log(COUNTS / COUNTS.sum())
    logits = [
        forward(expose(one.student, LOGITS), one.images)[LOGITS]
        for one in (plain, adjusted, unasked)
    ]
    np.testing.assert_allclose(logits[1] - logits[0], np.tile(shift, (36, 1)), atol=1e-5)
    np.testing.assert_array_equal(logits[2], logits[0])


@pytest.mark.parametrize("name", ["replay", "lucir"])
def test_balanced_finetuning_follows_the_first_task_where_its_option_says_so(name):
    """Every class gives as many images as the smallest one has; no method is needed for it."""
    asked = {"first_task": True, "epochs": 2, "learning_rate": 1e-3}
    found = learned(name, correction="balanced_finetuning", balanced_finetuning=asked)
    assert [phase.name for phase in found.phases] == ["main", "balancing"]
    balancing = found.phases[1]
    assert np.bincount(balancing.task.labels).tolist() == [3, 3, 3, 3]
    before, after = balancing.student
    assert np.abs(head_of(after)[0] - head_of(before)[0]).max() > 0
    assert num_classes(found.student) == 4
    assert {type(layer).__module__.split(".")[0] for layer in found.student.layers} == {"keras"}
    assert all(np.isfinite(row["loss"]) for row in found.curve)
    assert [row["phase"] for row in found.curve] == ["main", "balancing", "balancing"]


@pytest.mark.parametrize("source", ["memory", "memory+new", "held_out"])
def test_retrain_head_follows_the_first_task_where_its_option_says_so(source):
    asked = {"first_task": True, "source": source}
    plain = learned()
    found = learned(correction="retrain_head", retrain_head=asked)
    assert [phase.name for phase in found.phases] == ["main"]
    kernels = [one.student.get_layer(LOGITS).get_weights()[0] for one in (plain, found)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-3
    assert np.isfinite(kernels[1]).all()
