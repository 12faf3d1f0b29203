"""The weighted sum of each method's terms is the loss of the official code, and so its gradient.

All is float32, as in a training step, so the official float64 numbers agree to 1e-5.
"""

import numpy as np
import pytest
from keras import ops
from loss_of_terms import increment, loss_and_gradients, options, terms_of

from tfcil.layers import CosineDense
from tfcil.methods import Increment
from tfcil.methods.classification import first_task_term

CLOSE = {"rtol": 2e-5, "atol": 2e-6}


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def entropy(probabilities):
    """The batch mean: what official soft cross-entropies have beyond the divergence."""
    logarithms = np.log(probabilities, where=probabilities > 0, out=np.zeros_like(probabilities))
    return -np.sum(probabilities * logarithms) / len(probabilities)


def test_official_baseline(oracle):
    stored = oracle("kd")
    for name in ("a", "b", "big"):
        num_old, num_seen = int(stored[f"{name}_n_old"]), stored[f"{name}_logits"].shape[1]
        chosen = options(
            "baseline",
            distillation_weight=float(stored[f"{name}_beta"]),
            distillation_scale="constant",
            temperature=float(stored[f"{name}_T"]),
        )
        loss, gradients = loss_and_gradients(
            terms_of(chosen, increment(num_old, num_seen - num_old)),
            stored[f"{name}_labels"],
            {"logits": stored[f"{name}_logits"]},
            lambda inputs: dict(inputs),
            {"logits": stored[f"{name}_logits_old"]},
        )
        np.testing.assert_allclose(loss, stored[f"{name}_lucir_total"], **CLOSE)
        np.testing.assert_allclose(gradients["logits"], stored[f"{name}_lucir_total_grad"], **CLOSE)


@pytest.mark.parametrize(("method", "key"), [("wa", "wa"), ("bic", "bic_stage1")])
def test_official_mixture(oracle, method, key):
    """The official distillation has the teacher's entropy in it; the gradient is the same."""
    stored = oracle("kd")
    for name in ("a", "b", "big"):
        num_old, num_seen = int(stored[f"{name}_n_old"]), stored[f"{name}_logits"].shape[1]
        temperature, part = float(stored[f"{name}_T"]), float(stored[f"{name}_wa_kd_lambda"])
        loss, gradients = loss_and_gradients(
            terms_of(
                options(method, temperature=temperature), increment(num_old, num_seen - num_old)
            ),
            stored[f"{name}_labels"],
            {"logits": stored[f"{name}_logits"]},
            lambda inputs: dict(inputs),
            {"logits": stored[f"{name}_logits_old"]},
        )
        loss += part * entropy(softmax(stored[f"{name}_logits_old"] / temperature))
        np.testing.assert_allclose(loss, stored[f"{name}_{key}_loss"], **CLOSE)
        np.testing.assert_allclose(gradients["logits"], stored[f"{name}_{key}_grad"], **CLOSE)


@pytest.mark.parametrize("method", ["icarl", "lwf"])
def test_official_sigmoids(oracle, method):
    stored = oracle("icarl_bce")
    num_old, num_seen = int(stored["n_old"]), stored["logits"].shape[1]
    chosen = options(method, "bce")
    for prefix, terms, teacher in (
        ("", terms_of(chosen, increment(num_old, num_seen - num_old)), stored["logits_old"]),
        ("first_task_", [first_task_term(chosen.first_task())], None),
    ):
        loss, gradients = loss_and_gradients(
            terms,
            stored["labels"],
            {"logits": stored["logits"]},
            lambda inputs: dict(inputs),
            None if teacher is None else {"logits": teacher},
        )
        np.testing.assert_allclose(loss, stored[f"{prefix}loss"], **CLOSE)
        np.testing.assert_allclose(gradients["logits"], stored[f"{prefix}grad"], **CLOSE)


def test_official_lucir(oracle):
    """All three terms through a cosine head, with the gradient of everything that is trained."""
    stored = oracle("lucir_total")
    num_old, num_new = len(stored["weight_old"]), len(stored["weight_new"])
    chosen = options(
        "lucir",
        less_forget_weight=float(stored["lam"]) / (num_old / num_new) ** 0.5,
        margin_ranking_weight=float(stored["weight_mr"]),
        margin=float(stored["dist"]),
        negatives=int(stored["K"]),
    )
    head = CosineDense(num_old + num_new, dtype="float32")
    head.build(stored["features_new"].shape)

    def outputs(inputs):
        def cosines(scale):
            return head.stateless_call([inputs["kernel"], scale], [], inputs["features"])[0]

        one = ops.ones(())
        return {
            "features": inputs["features"],
            "logits": cosines(inputs["scale"]),
            "scores": cosines(one),
        }

    kernel = np.concatenate([stored["weight_old"], stored["weight_new"]]).T
    loss, gradients = loss_and_gradients(
        terms_of(chosen, increment(num_old, num_new)),
        stored["labels"],
        {"features": stored["features_new"], "kernel": kernel, "scale": stored["sigma"]},
        outputs,
        {"features": stored["features_old"]},
    )
    np.testing.assert_allclose(loss, stored["loss"], **CLOSE)
    np.testing.assert_allclose(gradients["features"], stored["grad_features"], **CLOSE)
    np.testing.assert_allclose(gradients["scale"], stored["grad_sigma"], **CLOSE)
    by_kernel = np.concatenate([stored["grad_weight_old"], stored["grad_weight_new"]]).T
    np.testing.assert_allclose(gradients["kernel"], by_kernel, **CLOSE)


def test_official_ssil(oracle):
    stored = oracle("ssil")
    labels = np.concatenate([stored["labels_current"], stored["labels_replay"]])
    *earlier, num_new = np.diff(stored["task_boundaries"]).tolist()
    task = Increment(sum(earlier), num_new, (1,) * sum([*earlier, num_new]), tuple(earlier))
    terms = terms_of(options("ssil", temperature=float(stored["T"])), task)
    loss, gradients = loss_and_gradients(
        terms,
        labels,
        {"logits": stored["logits"]},
        lambda inputs: dict(inputs),
        {"logits": stored["logits_old"]},
    )
    np.testing.assert_allclose(loss, stored["loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["grad"], **CLOSE)


def test_official_der(oracle):
    stored = oracle("der")
    num_old, num_seen = int(stored["n_old"]), stored["logits"].shape[1]
    task = increment(num_old, num_seen - num_old)
    loss, gradients = loss_and_gradients(
        terms_of(options("der"), task),
        stored["labels"],
        {"logits": stored["logits"], "auxiliary": stored["aux_logits"]},
        lambda inputs: dict(inputs),
    )
    np.testing.assert_allclose(loss, stored["loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["grad_logits"], **CLOSE)
    np.testing.assert_allclose(gradients["auxiliary"], stored["grad_aux"], **CLOSE)
    loss, gradients = loss_and_gradients(
        terms_of(options("der"), task, second_stage=True),
        stored["labels"],
        {"logits": stored["logits"]},
        lambda inputs: dict(inputs),
    )
    np.testing.assert_allclose(loss, stored["retrain_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["retrain_grad"], **CLOSE)


def test_official_foster(oracle):
    """Boosting and compression; the official distillations have the teacher's entropy in them."""
    stored = oracle("foster")
    num_old, num_seen = int(stored["n_old"]), stored["logits"].shape[1]
    temperature = float(stored["T"])
    chosen = options(
        "foster",
        temperature=temperature,
        boosting_beta=float(stored["beta1"]),
        compression_beta=float(stored["beta2"]),
    )
    per_class = int(stored["n_per_old"]), int(stored["n_per_new"])
    task = increment(num_old, num_seen - num_old, *per_class)
    loss, gradients = loss_and_gradients(
        terms_of(chosen, task),
        stored["labels"],
        {"logits": stored["logits"], "auxiliary": stored["fe_logits"]},
        lambda inputs: dict(inputs),
        {"logits": stored["old_logits"]},
    )
    loss += entropy(softmax(stored["old_logits"] / temperature))
    np.testing.assert_allclose(loss, stored["boost_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["boost_grad_logits"], **CLOSE)
    np.testing.assert_allclose(gradients["auxiliary"], stored["boost_grad_fe_logits"], **CLOSE)
    loss, gradients = loss_and_gradients(
        terms_of(chosen, task, second_stage=True),
        stored["labels"],
        {"logits": stored["dark_logits"]},
        lambda inputs: dict(inputs),
        {"logits": stored["logits"]},
    )
    taught = stored["class_weights_beta2"] * softmax(stored["logits"] / temperature)
    loss += entropy(taught / taught.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(loss, stored["compress_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["compress_grad_dark"], **CLOSE)


def test_official_nca_is_podnets_classification(oracle):
    stored = oracle("podnet_nca")
    scale = stored["released_scale"]
    num_classes = stored["released_similarities"].shape[1]
    terms = terms_of(options("podnet"), increment(num_classes - 2, 2), second_stage=True)
    loss, gradients = loss_and_gradients(
        terms,
        stored["released_labels"],
        {"similarities": stored["released_similarities"], "scale": scale},
        lambda inputs: {
            "logits": inputs["scale"] * inputs["similarities"],
            "scale": inputs["scale"] * ops.ones((len(stored["released_labels"]), 1)),
        },
    )
    np.testing.assert_allclose(loss, stored["released_loss"], **CLOSE)
    official = stored["released_grad_similarities"]
    np.testing.assert_allclose(gradients["similarities"], official, **CLOSE)
    np.testing.assert_allclose(gradients["scale"], stored["released_grad_scale"], **CLOSE)
