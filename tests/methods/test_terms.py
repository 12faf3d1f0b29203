"""The loss of every method: the names and weights of its terms, and what they have in common."""

import numpy as np
import pytest
from loss_of_terms import increment, loss_and_gradients, loss_of, options, terms_of

from tfcil.methods.lucir import less_forget_weight
from tfcil.methods.podnet import distillation_factor


def rng(seed=0):
    return np.random.default_rng(seed)


def weights(terms):
    return {term.name: term.weight for term in terms}


# 8 old and 2 new classes: sqrt(8/2) = 2 and sqrt(10/2) = 2.236, old/seen = 0.8
@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (options("finetune"), {"classification": 1}),
        (options("replay"), {"classification": 1}),
        (options("lwf", distillation_weight=3), {"classification": 1, "distillation": 3}),
        (options("baseline"), {"classification": 1, "distillation": 0.8}),
        (
            options("baseline", "bsce", distillation_weight=3),
            {"classification": 1, "distillation": 2.4},
        ),
        (
            options("baseline", distillation_weight=3, distillation_scale="constant"),
            {"classification": 1, "distillation": 3},
        ),
        (options("icarl"), {"classification": 1, "distillation": 0.8}),
        (options("icarl", "bce"), {"classification": 1}),
        (options("lwf", "bce"), {"classification": 1}),
        (options("wa", temperature=4), {"classification": 0.2, "distillation": 0.8 / 16}),
        (options("bic", "bsce"), {"classification": 0.2, "distillation": 0.2}),
        (options("eeil", distillation_weight=0.5), {"classification": 1, "distillation": 0.5}),
        (options("ssil"), {"classification": 1, "distillation": 1}),
        (options("lucir"), {"classification": 1, "less_forget": 10, "margin_ranking": 1}),
        (
            options("lucir", "bsce", less_forget_weight=2, margin_ranking_weight=0.5),
            {"classification": 1, "less_forget": 4, "margin_ranking": 0.5},
        ),
        (
            options("podnet"),
            {"classification": 1, "pod_spatial": 3 * 5**0.5, "pod_flat": 5**0.5},
        ),
        (options("der"), {"classification": 1, "auxiliary": 1}),
        (options("foster"), {"classification": 1, "auxiliary": 1, "distillation": 0.25}),
    ],
    ids=lambda value: f"{value.name}-{value.loss}" if hasattr(value, "loss") else "",
)
def test_names_and_weights_of_the_terms(chosen, expected):
    found = weights(terms_of(chosen, increment(8, 2)))
    assert list(found) == list(expected)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lucir", {"classification": 1, "less_forget": 10, "margin_ranking": 1}),
        ("podnet", {"classification": 1}),
        ("eeil", {"classification": 1, "distillation": 1}),
        ("der", {"classification": 1}),
        ("foster", {"compression": 1}),
    ],
)
def test_names_and_weights_of_the_second_stage(name, expected):
    found = weights(terms_of(options(name), increment(8, 2), second_stage=True))
    assert found == pytest.approx(expected)


def test_official_weight_of_less_forget(oracle):
    """The ratio leaves the new classes out, and stands as in the code: old over new."""
    stored = oracle("lucir_lambda")
    for base, num_old, num_new, expected in zip(
        stored["base"], stored["n_old"], stored["n_new"], stored["lam"], strict=True
    ):
        assert less_forget_weight(base, num_old, num_new) == pytest.approx(expected, rel=1e-12)


def test_official_factor_of_pod(oracle):
    """Unlike LUCIR's, the ratio counts the new classes as seen."""
    stored = oracle("podnet_factor")
    for base, seen, new, expected in zip(
        *(stored["scheduled_factor"], stored["n_classes_seen"], stored["task_size"]),
        stored["factor"],
        strict=True,
    ):
        assert base * distillation_factor(seen - new, new) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("labels", [[0, 4, 4, 5], [0, 1, 3, 5], [4, 5, 4, 4]])
def test_margin_ranking_is_the_mean_over_the_old_samples(labels):
    """Hand-made cosines: every old sample violates the margin by 0.3 and 0.1, so 0.2 in the mean.

    A mean over the whole batch would fade with the share of exemplars in it.
    """
    scores = np.tile([0.4, 0.4, 0.4, 0.4, 0.2, 0.0], (4, 1)).astype("float32")
    terms = terms_of(options("lucir", negatives=2), increment(4, 2))
    ranking = [term for term in terms if term.name == "margin_ranking"]
    _, curve = loss_of(ranking, labels, {"scores": scores, "logits": scores})
    expected = 0.2 if min(labels) < 4 else 0.0
    assert float(curve["margin_ranking"]) == pytest.approx(expected, abs=1e-6)


def test_podnet_without_nca_or_with_a_balanced_softmax_classifies_like_any_other():
    labels, logits = rng().integers(0, 6, 9), rng(1).normal(size=(9, 6)).astype("float32")
    task = increment(4, 2, per_old=3, per_new=3)
    (plain,) = terms_of(options("finetune"), task)
    expected = loss_of([plain], labels, {"logits": logits})[0]
    for chosen in (options("podnet", nca="off"), options("podnet", "bsce")):
        terms = terms_of(chosen, task, second_stage=True)
        found = loss_of(terms, labels, {"logits": logits})[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["baseline", "icarl", "lwf", "wa", "bic", "eeil", "ssil", "lucir", "podnet", "foster"]
)
def test_a_student_that_is_its_teacher_has_nothing_to_be_kept_from(name):
    """Distillation is then exactly 0, and so is its gradient: no method drifts by rounding."""
    num_old, labels = 5, rng().integers(0, 8, 6)
    inputs = {
        "logits": rng(1).normal(size=(6, 8)) * 5,
        "features": rng(2).normal(size=(6, 4)),
        "map": rng(3).normal(size=(6, 3, 3, 2)),
    }
    teacher = {
        "logits": inputs["logits"][:, :num_old],
        "features": inputs["features"],
        "maps": [inputs["map"]],
    }
    terms = terms_of(options(name), increment(num_old, 3, earlier=(2, 3)))
    kept = [
        term for term in terms if term.name not in ("classification", "auxiliary", "margin_ranking")
    ]
    assert kept
    loss, gradients = loss_and_gradients(
        kept, labels, inputs, lambda inputs: inputs | {"maps": [inputs["map"]]}, teacher
    )
    assert loss == 0
    found = [np.asarray(one) for one in gradients.values() if one is not None]
    assert found
    assert not any(one.any() for one in found)


def test_eeil_distils_each_old_task_by_itself_and_later_the_new_classes_too():
    """A shift of all logits of one task is no change of its own softmax."""
    teacher = rng().normal(size=(6, 8))
    task = increment(5, 3, earlier=(2, 3))

    def distillation(columns, second_stage):
        moved = teacher + 3.0 * np.isin(np.arange(8), columns)
        terms = terms_of(options("eeil"), task, second_stage)
        known = teacher if second_stage else teacher[:, :5]
        kept = [term for term in terms if term.name == "distillation"]
        loss = loss_of(kept, np.zeros(6, int), {"logits": moved}, {"logits": known})[0]
        return float(loss)

    for columns in ([0, 1], [2, 3, 4], [5, 6, 7]):
        assert distillation(columns, second_stage=False) == pytest.approx(0, abs=1e-9)
        assert distillation(columns, second_stage=True) == pytest.approx(0, abs=1e-9)
    assert distillation([0], second_stage=False) > 0.1
    assert distillation([5], second_stage=False) == pytest.approx(0, abs=1e-9)
    assert distillation([5], second_stage=True) > 0.1
