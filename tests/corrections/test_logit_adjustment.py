"""logit_adjustment: the shift by the log prior, and what it is in each head."""

import numpy as np
import pytest
from loss_of_terms import task_of
from tiny_tasks import network

from tfcil.classifier import grown, plain
from tfcil.components.facts import Head
from tfcil.corrections.logit_adjustment import Options, check, prior_shift
from tfcil.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1), dtype="uint8")


def test_the_shift_is_minus_tau_log_prior():
    expected = -0.5 * np.log([0.1, 0.3, 0.6])
    np.testing.assert_allclose(prior_shift((10, 30, 60), 0.5), expected, rtol=1e-12)
    np.testing.assert_array_equal(prior_shift((10, 30, 60), 0.0), 0)


def test_a_class_without_an_image_is_refused():
    """The logarithm of its prior is infinite."""
    with pytest.raises(UserError, match=r"^logit_adjustment needs .* no exemplar of 2 classes$"):
        check(task_of(3, [0, 4, 0, 9, 9]), Options())


HEADS = [Head(), Head(kind="cosine"), Head(kind="local_similarity", proxies=3)]


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.kind)
def test_the_saved_logits_are_shifted_by_it(head):
    student = grown(network(), 3, np.random.default_rng(0), head)
    before = student(IMAGES).numpy()
    shifted = plain(student, prior_shift((10, 30, 60), 0.5))(IMAGES).numpy()
    np.testing.assert_allclose(shifted, before - 0.5 * np.log([0.1, 0.3, 0.6]), atol=1e-5)
