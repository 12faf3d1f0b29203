"""DER's auxiliary cross-entropy: which class a label becomes, values by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tfcil.losses import auxiliary_crossentropy

LABELS = np.array([0, 9, 10, 12])  # of 10 old and 3 new classes: 0, 0, 1, 3


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(4, 4)) * 3


def test_all_old_classes_are_class_0(logits):
    log_sums = np.log(np.exp(logits).sum(axis=1))
    expected = log_sums - logits[np.arange(4), [0, 0, 1, 3]]
    found = auxiliary_crossentropy(LABELS, logits, num_old=10)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    column = auxiliary_crossentropy(LABELS[:, None].astype("float32"), logits, num_old=10)
    np.testing.assert_array_equal(column, found)


def test_labels_are_the_official_ones(oracle):
    stored = oracle("der")
    confident = 100 * np.eye(stored["aux_logits"].shape[1])[stored["aux_labels"]]
    found = auxiliary_crossentropy(stored["labels"], confident, int(stored["n_old"]))
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_half_precision_is_computed_in_float32(logits):
    z = tf.cast(logits, "bfloat16")
    found = auxiliary_crossentropy(LABELS, z, num_old=10)
    assert found.dtype == tf.float32
    exact = auxiliary_crossentropy(LABELS, tf.cast(z, "float32"), num_old=10)
    np.testing.assert_array_equal(found, exact)
