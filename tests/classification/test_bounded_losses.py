"""gce and rjm as `method.loss`: cross-entropy first, then the bounded loss."""

import numpy as np
import pytest
import tensorflow as tf
from formulas import cross_entropy
from loss_of_terms import task_of

from tfcil.training import Batch

COUNTS = [2, 5, 40]
LABELS = np.array([0, 1, 2, 2])
LOGITS = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
CLOSE = {"rtol": 1e-5, "atol": 1e-6}


def values(loss, progress, **options):
    term = task_of(2, COUNTS, loss=loss, **options).classification()
    batch = Batch(tf.constant(LABELS, "int32"), {"logits": LOGITS}, progress=tf.constant(progress))
    return term.values(batch).numpy()


@pytest.mark.parametrize("prior", ["none", "counts"])
@pytest.mark.parametrize("loss", ["gce", "rjm"])
def test_until_the_warm_up_it_is_cross_entropy_then_the_bounded_loss(loss, prior):
    shifted = LOGITS + (np.log(COUNTS) if prior == "counts" else 0)
    first = cross_entropy(LABELS, shifted)
    for progress in (0.0, 0.24):
        found = values(loss, progress, prior=prior, warmup=0.25)
        np.testing.assert_allclose(found, first, **CLOSE)
    q = {"gce": 0.7, "rjm": 0.5}[loss]  # rjm times its scale of 2 is gce with q = 0.5
    for progress in (0.25, 1.0):
        found = values(loss, progress, prior=prior, warmup=0.25)
        np.testing.assert_allclose(found, (1 - np.exp(-q * first)) / q, **CLOSE)


def test_scale_is_a_factor_of_the_bounded_loss_alone():
    assert values("gce", 0.0, scale=3.0) == pytest.approx(values("gce", 0.0))
    assert values("gce", 0.9, scale=3.0) == pytest.approx(3 * values("gce", 0.9))
