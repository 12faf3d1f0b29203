"""Every loss at the size of ImageNet and at the ends of its range stays finite, gradient too."""

import numpy as np
import pytest
import tensorflow as tf

from tfcil import losses

CLASSES, OLD = 1000, 900
COUNTS = np.geomspace(1, 1e6, CLASSES).round().astype(int).tolist()
WEIGHTS = losses.effective_number_weights(COUNTS, 0.97)
GENERATOR = np.random.default_rng(3)
TEACHER = GENERATOR.choice([-1e4, 0.0, 1e4], (6, OLD)).astype("float32")
LABELS = {
    "of all kinds": [0, 1, OLD - 1, OLD, CLASSES - 2, CLASSES - 1],
    "of one class": [CLASSES - 1] * 6,
    "all old": [0, 1, 2, 3, 4, 5],
}

WITH_LABELS = {
    "balanced": lambda y, z: losses.balanced_softmax_crossentropy(y, z, COUNTS),
    "balanced, tau 5": lambda y, z: losses.balanced_softmax_crossentropy(y, z, COUNTS, 5.0),
    "softmax": losses.softmax_crossentropy,
    "generalized": losses.generalized_crossentropy,
    "generalized, balanced": lambda y, z: losses.generalized_crossentropy(y, z, 0.5, COUNTS),
    "jeffries-matusita": losses.reduced_jeffries_matusita,
    "softmax, temperature 0.01": lambda y, z: losses.softmax_crossentropy(y, z, 0.01),
    "sigmoid": losses.sigmoid_crossentropy,
    "sigmoid and teacher": lambda y, z: losses.sigmoid_crossentropy(y, z, TEACHER),
    "separated": lambda y, z: losses.separated_softmax_crossentropy(y, z, OLD),
    "rescaled": lambda y, z: losses.rescaled_crossentropy(y, z, WEIGHTS),
    "auxiliary": lambda y, z: losses.auxiliary_crossentropy(y, z[:, OLD - 1 :], OLD),
    "nca released": lambda y, z: losses.nca(y, z, variant="released"),
    "nca paper": lambda y, z: losses.nca(y, z, variant="paper"),
    "triplet": losses.triplet,
    "ranking": lambda y, z: losses.margin_ranking(y, z / 1e4, OLD),
}
OF_A_TEACHER = {
    "logits": lambda z: losses.logit_distillation(TEACHER, z),
    "logits, temperature 0.01": lambda z: losses.logit_distillation(TEACHER, z, 0.01),
    "logits by lost images": lambda z: losses.distribution_aware_distillation(
        TEACHER, z, COUNTS[:OLD]
    ),
    "tasks": lambda z: losses.taskwise_distillation(TEACHER, z, [500, 399, 1]),
    "weighted": lambda z: losses.weighted_distillation(TEACHER, z[:, :OLD], WEIGHTS[:OLD]),
    "features": lambda z: losses.less_forget(TEACHER, z[:, :OLD]),
    "discrepancy": lambda z: losses.maximum_mean_discrepancy(TEACHER, z[:, :OLD]),
    "flat": lambda z: losses.pod_flat(TEACHER, z[:, :OLD]),
    "spatial": lambda z: losses.pod_spatial(
        [tf.reshape(TEACHER, (6, 30, 30, 1))], [tf.reshape(z[:, :OLD], (6, 30, 30, 1))]
    ),
}


def logits(dtype):
    drawn = GENERATOR.choice([-1e4, -1.0, 0.0, 1e4], (6, CLASSES))
    drawn[0], drawn[1] = 1e4, -1e4
    return tf.Variable(tf.cast(drawn, dtype))


def assert_finite(loss, dtype):
    z = logits(dtype)
    with tf.GradientTape() as tape:
        value = loss(tf.convert_to_tensor(z))
        whole = tf.reduce_sum(value)
    assert value.dtype == tf.float32
    assert np.isfinite(value.numpy()).all()
    gradient = tf.cast(tape.gradient(whole, z), "float32").numpy()
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("loss", WITH_LABELS.values(), ids=WITH_LABELS)
def test_losses_of_labels_stay_finite(loss, labels, dtype):
    assert_finite(lambda z: loss(np.array(labels), z), dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("loss", OF_A_TEACHER.values(), ids=OF_A_TEACHER)
def test_losses_of_a_teacher_stay_finite(loss, dtype):
    assert_finite(loss, dtype)


def test_a_class_of_a_million_and_one_of_a_single_image_shift_by_their_logarithm():
    """Equal logits: the probability is the share of the images, however extreme."""
    z = np.zeros((1, CLASSES), "float32")
    value = losses.balanced_softmax_crossentropy([0], z, COUNTS).numpy()
    np.testing.assert_allclose(value, np.log(sum(COUNTS)), rtol=1e-6)
