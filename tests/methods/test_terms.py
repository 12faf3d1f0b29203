"""The loss of every method: the names and weights of its terms, and what they have in common."""

import numpy as np
import pytest
from loss_of_terms import TRAINED, loss_and_gradients, loss_of, phases_of, task_of

from tfcil.methods import lucir, podnet


def rng(seed=0):
    return np.random.default_rng(seed)


def weights(terms):
    return {term.name: term.weight for term in terms}


# 8 old and 2 new classes: sqrt(8/2) = 2 and sqrt(10/2) = 2.236, old/seen = 0.8
WEIGHTS = [
    ("finetune", "ce", {}, {"classification": 1}),
    ("replay", "ce", {}, {"classification": 1}),
    ("lwf", "ce", {"distillation_weight": 3}, {"classification": 1, "distillation": 3}),
    ("lwf", "bce", {}, {"classification": 1}),
    ("baseline", "ce", {}, {"classification": 1, "distillation": 0.8}),
    ("baseline", "bsce", {"distillation_weight": 3}, {"classification": 1, "distillation": 2.4}),
    (
        "baseline",
        "ce",
        {"distillation_weight": 3, "distillation_scale": "constant"},
        {"classification": 1, "distillation": 3},
    ),
    ("baseline", "ce", {"reweighting": "official"}, {"classification": 1, "distillation": 0.8}),
    # 8 * 2 old images, 2 * 10 new ones
    ("dgr", "bsce", {}, {"classification": 1, "distillation": 0.7 * 0.8**0.5}),
    ("icarl", "ce", {}, {"classification": 1, "distillation": 0.8}),
    ("icarl", "bce", {}, {"classification": 1}),
    ("wa", "ce", {"temperature": 4}, {"classification": 0.2, "distillation": 0.8 / 16}),
    ("bic", "bsce", {}, {"classification": 0.2, "distillation": 0.2}),
    ("eeil", "ce", {"distillation_weight": 0.5}, {"classification": 1, "distillation": 0.5}),
    ("ssil", "ce", {}, {"classification": 1, "distillation": 1}),
    ("lucir", "ce", {}, {"classification": 1, "less_forget": 10, "margin_ranking": 1}),
    (
        "lucir",
        "bsce",
        {"less_forget_weight": 2, "margin_ranking_weight": 0.5},
        {"classification": 1, "less_forget": 4, "margin_ranking": 0.5},
    ),
    ("mmd", "ce", {}, {"classification": 1, "distillation": 1, "discrepancy": 1}),
    (
        "mmd",
        "bsce",
        {"distillation_weight": 2, "discrepancy_weight": 3, "triplet_weight": 0.5},
        {"classification": 1, "distillation": 2, "discrepancy": 3, "triplet": 0.5},
    ),
    ("podnet", "nca", {}, {"classification": 1, "pod_spatial": 3 * 5**0.5, "pod_flat": 5**0.5}),
    ("der", "ce", {}, {"classification": 1, "auxiliary": 1}),
    ("foster", "ce", {}, {"classification": 1, "auxiliary": 1, "distillation": 0.25}),
]


@pytest.mark.parametrize(
    ("name", "loss", "options", "expected"),
    WEIGHTS,
    ids=[f"{name}-{loss}-{number}" for number, (name, loss, *_) in enumerate(WEIGHTS)],
)
def test_names_and_weights_of_the_terms(name, loss, options, expected):
    main, *_ = phases_of(name, loss, 8, 2, **options)
    assert main.name == "main"
    assert list(weights(main.terms)) == list(expected)
    assert weights(main.terms) == pytest.approx(expected)


def test_the_table_above_knows_every_method_that_trains():
    assert {name for name, *_ in WEIGHTS} == set(TRAINED)


SECOND = {  # the phase after the first one that a method trains by itself
    "lucir": ("balancing", {"classification": 1, "less_forget": 10, "margin_ranking": 1}),
    "podnet": ("balancing", {"classification": 1}),
    "eeil": ("balancing", {"classification": 1, "distillation": 1}),
    "der": ("balancing", {"classification": 1}),
    "foster": ("compression", {"compression": 1}),
}


@pytest.mark.parametrize("name", TRAINED)
def test_names_and_weights_of_what_a_method_trains_after_it(name):
    _, *later = phases_of(name, "ce", 8, 2)
    assert [(phase.name, weights(phase.terms)) for phase in later] == [
        (phase, pytest.approx(expected))
        for method, (phase, expected) in SECOND.items()
        if method == name
    ]


def weight_of(module, term, num_old, num_new, **options):
    """The weight of a term; no network is needed for it."""
    terms = module.loss_terms(
        task_of(num_old, [2] * (num_old + num_new)), module.Options(**options)
    )
    return weights(terms)[term]


def test_official_weight_of_less_forget(oracle):
    """The ratio leaves the new classes out, and is as in the code: old over new."""
    stored = oracle("lucir_lambda")
    for base, num_old, num_new, expected in zip(
        *(stored[name].tolist() for name in ("base", "n_old", "n_new", "lam")), strict=True
    ):
        found = weight_of(lucir, "less_forget", num_old, num_new, less_forget_weight=base)
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("term", ["pod_flat", "pod_spatial"])
def test_official_factor_of_pod(oracle, term):
    """Unlike LUCIR's, the ratio counts the new classes as seen."""
    stored = oracle("podnet_factor")
    for base, seen, new, expected in zip(
        *(
            stored[name].tolist()
            for name in ("scheduled_factor", "n_classes_seen", "task_size", "factor")
        ),
        strict=True,
    ):
        found = weight_of(podnet, term, seen - new, new, **{f"{term}_weight": base})
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("labels", [[0, 4, 4, 5], [0, 1, 3, 5], [4, 5, 4, 4]])
def test_margin_ranking_is_the_mean_over_the_old_samples(labels):
    """Hand-made cosines: every old sample violates the margin by 0.3 and 0.1, so 0.2 in the mean.

    A mean over the whole batch would fade with the share of exemplars in it.
    """
    scores = np.tile([0.4, 0.4, 0.4, 0.4, 0.2, 0.0], (4, 1)).astype("float32")
    main, _ = phases_of("lucir", "ce", 4, 2, negatives=2)
    ranking = [term for term in main.terms if term.name == "margin_ranking"]
    _, curve = loss_of(ranking, labels, {"scores": scores, "logits": scores})
    expected = 0.2 if min(labels) < 4 else 0.0
    assert float(curve["margin_ranking"]) == pytest.approx(expected, abs=1e-6)


def test_podnet_without_nca_classifies_like_any_other():
    labels, logits = rng().integers(0, 6, 9), rng(1).normal(size=(9, 6)).astype("float32")
    (plain,) = phases_of("finetune", "ce", 4, 2)
    expected = loss_of(plain.terms, labels, {"logits": logits})[0]
    for loss in ("ce", "bsce"):
        _, balancing = phases_of("podnet", loss, 4, 2, images=(3, 3))
        found = loss_of(balancing.terms, labels, {"logits": logits})[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "name",
    ["baseline", "icarl", "lwf", "wa", "bic", "eeil", "ssil", "lucir", "mmd", "podnet", "foster"],
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
    main, *_ = phases_of(name, "ce", num_old, 3, earlier=(2, 3))
    kept = [
        term
        for term in main.terms
        if term.name not in ("classification", "auxiliary", "margin_ranking")
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
    logits = rng().normal(size=(6, 8))
    main, balancing = phases_of("eeil", "ce", 5, 3, earlier=(2, 3))

    def distillation(columns, phase, known):
        moved = logits + 3.0 * np.isin(np.arange(8), columns)
        kept = [term for term in phase.terms if term.name == "distillation"]
        teacher = {"logits": logits[:, :known]}
        return float(loss_of(kept, np.zeros(6, int), {"logits": moved}, teacher)[0])

    for columns in ([0, 1], [2, 3, 4], [5, 6, 7]):
        assert distillation(columns, main, 5) == pytest.approx(0, abs=1e-9)
        assert distillation(columns, balancing, 8) == pytest.approx(0, abs=1e-9)
    assert distillation([0], main, 5) > 0.1
    assert distillation([5], main, 5) == pytest.approx(0, abs=1e-9)
    assert distillation([5], balancing, 8) > 0.1
