"""mmd distils the new images alone, and trains on P x K batches where it has the triplet loss."""

import numpy as np
import pytest
from loss_of_terms import loss_of, phases_of

from tfcil.components.registry import find
from tfcil.config.settings import Method, choose
from tfcil.errors import UserError
from tfcil.losses import logit_distillation
from tfcil.training import PerClass

TEACHER, STUDENT = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")


@pytest.mark.parametrize("labels", [[0, 3, 4, 2], [3, 4, 4, 3], [0, 1, 2, 0]])
def test_distillation_is_the_mean_over_the_new_images(labels):
    """A mean over the whole batch would fade with the share of exemplars in it."""
    (main,) = phases_of("mmd", "ce", 3, 2, temperature=3.0)
    logits = np.pad(STUDENT, ((0, 0), (0, 2)))
    kept = [term for term in main.terms if term.name == "distillation"]
    _, curve = loss_of(kept, labels, {"logits": logits}, {"logits": TEACHER})
    of_new = logit_distillation(TEACHER, logits, 3.0).numpy()[np.array(labels) >= 3]
    expected = of_new.mean() if len(of_new) else 0
    assert float(curve["distillation"]) == pytest.approx(expected, rel=1e-6)


def test_only_the_triplet_loss_needs_classes_with_several_images_in_a_batch():
    (main,) = phases_of("mmd", "ce", 8, 2)
    assert main.sampler is None
    (main,) = phases_of("mmd", "ce", 8, 2, triplet_weight=1.0, classes_per_step=3)
    assert isinstance(main.sampler, PerClass)
    assert main.sampler.size == 3 * 4
    assert main.sampler.labels.tolist() == np.repeat(range(10), [2] * 8 + [10] * 2).tolist()


@pytest.mark.parametrize("triplet_weight", [0.0, 1.0])
def test_p_x_k_batches_have_no_prior_for_a_balanced_softmax_to_remove(triplet_weight):
    """With 2 images of each old and 10 of each new class it is then plain cross-entropy."""

    def classification(loss):
        (main,) = phases_of("mmd", loss, 8, 2, triplet_weight=triplet_weight)
        logits = np.random.default_rng(1).normal(size=(5, 10)).astype("float32")
        _, curve = loss_of(main.terms[:1], [0, 3, 8, 9, 9], {"logits": logits})
        return float(curve["classification"])

    same = classification("bsce") == pytest.approx(classification("ce"), rel=1e-5)
    assert same == bool(triplet_weight)


def test_a_correction_of_the_prior_is_refused_with_p_x_k_batches_alone():
    method = Method(name="mmd", loss="ce", correction="weight_aligning")
    assert choose(method, {}, 200).correction.name == "weight_aligning"
    with pytest.raises(UserError, match="removed by its P x K batches, weight_aligning would"):
        choose(method, {"mmd": {"triplet_weight": 0.1}}, 200)


@pytest.mark.parametrize(
    ("key", "value"),
    [("bandwidths", []), ("bandwidths", [1.0, 0.0]), ("images_per_class", 1), ("margin", -0.1)],
)
def test_a_wrong_option_is_told_in_one_line(key, value):
    with pytest.raises(UserError, match=rf"^options\.mmd\.{key}.* should .* Received: ") as error:
        find("method", "mmd", {key: value})
    assert "\n" not in str(error.value)
