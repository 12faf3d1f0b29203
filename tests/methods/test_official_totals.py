"""The weighted sum of each method's terms is the loss of the official code, and so its gradient.

All is float32, as in a training step, so the official float64 numbers agree to 1e-5.
"""

import numpy as np
import pytest
from formulas import entropy, softmax
from keras import ops
from loss_of_terms import loss_and_gradients, phases_of, task_of

from tfcil.layers import CosineDense

CLOSE = {"rtol": 2e-5, "atol": 2e-6}


def of_case(stored, name):
    """The numbers of old and new classes, labels, inputs and teacher of a case of kd.npz."""
    num_old, num_seen = int(stored[f"{name}_n_old"]), stored[f"{name}_logits"].shape[1]
    inputs = {"logits": stored[f"{name}_logits"]}
    teacher = {"logits": stored[f"{name}_logits_old"]}
    return (num_old, num_seen - num_old), (stored[f"{name}_labels"], inputs, dict, teacher)


@pytest.mark.parametrize("case", ["a", "b", "big"])
def test_official_baseline(oracle, case):
    stored = oracle("kd")
    classes, batch = of_case(stored, case)
    (main,) = phases_of(
        "baseline",
        "ce",
        *classes,
        distillation_weight=float(stored[f"{case}_beta"]),
        distillation_scale="constant",
        temperature=float(stored[f"{case}_T"]),
    )
    loss, gradients = loss_and_gradients(main.terms, *batch)
    np.testing.assert_allclose(loss, stored[f"{case}_lucir_total"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored[f"{case}_lucir_total_grad"], **CLOSE)


@pytest.mark.parametrize("case", ["a", "b", "big"])
@pytest.mark.parametrize(("method", "key"), [("wa", "wa"), ("bic", "bic_stage1")])
def test_official_mixture(oracle, method, key, case):
    """The official distillation has the teacher's entropy in it; the gradient is the same."""
    stored = oracle("kd")
    classes, batch = of_case(stored, case)
    temperature, part = float(stored[f"{case}_T"]), float(stored[f"{case}_wa_kd_lambda"])
    (main,) = phases_of(method, "ce", *classes, temperature=temperature)
    loss, gradients = loss_and_gradients(main.terms, *batch)
    loss += part * entropy(softmax(stored[f"{case}_logits_old"] / temperature))
    np.testing.assert_allclose(loss, stored[f"{case}_{key}_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored[f"{case}_{key}_grad"], **CLOSE)


@pytest.mark.parametrize("method", ["icarl", "lwf"])
def test_official_sigmoids(oracle, method):
    stored = oracle("icarl_bce")
    num_old, num_seen = int(stored["n_old"]), stored["logits"].shape[1]
    (main,) = phases_of(method, "bce", num_old, num_seen - num_old)
    first_task = [task_of(num_old, [2] * num_seen, loss="bce").classification()]
    for prefix, terms, teacher in (
        ("", main.terms, {"logits": stored["logits_old"]}),
        ("first_task_", first_task, None),
    ):
        inputs = {"logits": stored["logits"]}
        loss, gradients = loss_and_gradients(terms, stored["labels"], inputs, teacher=teacher)
        np.testing.assert_allclose(loss, stored[f"{prefix}loss"], **CLOSE)
        np.testing.assert_allclose(gradients["logits"], stored[f"{prefix}grad"], **CLOSE)


def cosine_outputs(stored):
    """The outputs of LUCIR's student, by its features and the weights of its head."""
    head = CosineDense(len(stored["weight_old"]) + len(stored["weight_new"]), dtype="float32")
    head.build(stored["features_new"].shape)

    def outputs(inputs):
        def cosines(scale):
            return head.stateless_call([inputs["kernel"], scale], [], inputs["features"])[0]

        return {
            "features": inputs["features"],
            "logits": cosines(inputs["scale"]),
            "scores": cosines(ops.ones(())),
        }

    return outputs


def test_official_lucir(oracle):
    """All three terms through a cosine head, with the gradient of everything that is trained.

    The fine-tuning of the head has the same loss.
    """
    stored = oracle("lucir_total")
    num_old, num_new = len(stored["weight_old"]), len(stored["weight_new"])
    kernel = np.concatenate([stored["weight_old"], stored["weight_new"]]).T
    phases = phases_of(
        "lucir",
        "ce",
        num_old,
        num_new,
        less_forget_weight=float(stored["lam"]) / (num_old / num_new) ** 0.5,
        margin_ranking_weight=float(stored["weight_mr"]),
        margin=float(stored["dist"]),
        negatives=int(stored["K"]),
    )
    assert [phase.name for phase in phases] == ["main", "balancing"]
    for phase in phases:
        loss, gradients = loss_and_gradients(
            phase.terms,
            stored["labels"],
            {"features": stored["features_new"], "kernel": kernel, "scale": stored["sigma"]},
            cosine_outputs(stored),
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
    temperature = float(stored["T"])
    (main,) = phases_of(
        "ssil", "ce", sum(earlier), num_new, earlier=tuple(earlier), temperature=temperature
    )
    inputs, teacher = {"logits": stored["logits"]}, {"logits": stored["logits_old"]}
    loss, gradients = loss_and_gradients(main.terms, labels, inputs, teacher=teacher)
    np.testing.assert_allclose(loss, stored["loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["grad"], **CLOSE)


def test_official_der(oracle):
    stored = oracle("der")
    num_old, num_seen = int(stored["n_old"]), stored["logits"].shape[1]
    main, balancing = phases_of("der", "ce", num_old, num_seen - num_old)
    inputs = {"logits": stored["logits"], "auxiliary": stored["aux_logits"]}
    loss, gradients = loss_and_gradients(main.terms, stored["labels"], inputs)
    np.testing.assert_allclose(loss, stored["loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["grad_logits"], **CLOSE)
    np.testing.assert_allclose(gradients["auxiliary"], stored["grad_aux"], **CLOSE)
    inputs = {"logits": stored["logits"]}
    loss, gradients = loss_and_gradients(balancing.terms, stored["labels"], inputs)
    np.testing.assert_allclose(loss, stored["retrain_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["retrain_grad"], **CLOSE)


def test_official_foster(oracle):
    """Boosting and compression; the official distillations have the teacher's entropy in them."""
    stored = oracle("foster")
    num_old, num_seen = int(stored["n_old"]), stored["logits"].shape[1]
    temperature = float(stored["T"])
    boosting, compression = phases_of(
        "foster",
        "ce",
        num_old,
        num_seen - num_old,
        images=(int(stored["n_per_old"]), int(stored["n_per_new"])),
        temperature=temperature,
        boosting_beta=float(stored["beta1"]),
        compression_beta=float(stored["beta2"]),
    )
    inputs = {"logits": stored["logits"], "auxiliary": stored["fe_logits"]}
    teacher = {"logits": stored["old_logits"]}
    loss, gradients = loss_and_gradients(boosting.terms, stored["labels"], inputs, dict, teacher)
    loss += entropy(softmax(stored["old_logits"] / temperature))
    np.testing.assert_allclose(loss, stored["boost_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["boost_grad_logits"], **CLOSE)
    np.testing.assert_allclose(gradients["auxiliary"], stored["boost_grad_fe_logits"], **CLOSE)
    inputs, teacher = {"logits": stored["dark_logits"]}, {"logits": stored["logits"]}
    loss, gradients = loss_and_gradients(compression.terms, stored["labels"], inputs, dict, teacher)
    taught = stored["class_weights_beta2"] * softmax(stored["logits"] / temperature)
    loss += entropy(taught / taught.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(loss, stored["compress_loss"], **CLOSE)
    np.testing.assert_allclose(gradients["logits"], stored["compress_grad_dark"], **CLOSE)


def test_official_nca_is_podnets_classification(oracle):
    stored = oracle("podnet_nca")
    scale, labels = stored["released_scale"], stored["released_labels"]
    num_classes = stored["released_similarities"].shape[1]
    _, balancing = phases_of("podnet", "nca", num_classes - 2, 2)
    loss, gradients = loss_and_gradients(
        balancing.terms,
        labels,
        {"similarities": stored["released_similarities"], "scale": scale},
        lambda inputs: {
            "logits": inputs["scale"] * inputs["similarities"],
            "scale": inputs["scale"] * ops.ones((len(labels), 1)),
        },
    )
    np.testing.assert_allclose(loss, stored["released_loss"], **CLOSE)
    official = stored["released_grad_similarities"]
    np.testing.assert_allclose(gradients["similarities"], official, **CLOSE)
    np.testing.assert_allclose(gradients["scale"], stored["released_grad_scale"], **CLOSE)
