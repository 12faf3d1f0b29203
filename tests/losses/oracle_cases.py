"""The official implementations' numbers as (loss, inputs, value, gradients), for any backend."""

from typing import NamedTuple

import numpy as np
from keras import ops

from tfcil import layers, losses


class Case(NamedTuple):
    """One scalar `loss` of float64 `inputs`, and what the official code gave for it."""

    name: str
    loss: callable
    inputs: list
    value: float
    gradients: list


def mean(values):
    """Keras's own mean works in float32 on JAX."""
    return ops.sum(values) / values.shape[0]


def names(stored, suffix):
    return [key.removesuffix(suffix) for key in stored if key.endswith(suffix)]


def head_output(head, features, kernel, scale):
    """The output of a head whose weights are arguments, on every backend."""
    if not head.built:
        head.build(features.shape)
    return head.stateless_call([kernel, ops.cast(scale, "float64")], [], features)[0]


def balanced_softmax(oracle):
    stored = oracle("balanced_softmax")
    for name in names(stored, "_grad_of_mean"):
        labels, counts = stored[f"{name}_labels"], stored[f"{name}_counts"]
        yield Case(
            name,
            lambda z, y=labels, n=counts: mean(losses.balanced_softmax_crossentropy(y, z, n)),
            [stored[f"{name}_logits"]],
            stored[f"{name}_loss_mean"],
            [stored[f"{name}_grad_of_mean"]],
        )


def kd(oracle):
    stored = oracle("kd")
    for name in names(stored, "_lucir_kd_grad"):
        labels, teacher = stored[f"{name}_labels"], stored[f"{name}_logits_old"]
        temperature, beta = float(stored[f"{name}_T"]), float(stored[f"{name}_beta"])

        def distilled(z, teacher=teacher, temperature=temperature, beta=beta):
            return beta * mean(losses.logit_distillation(teacher, z, temperature))

        def total(z, labels=labels, distilled=distilled):
            ones = np.ones(z.shape[-1])
            return mean(losses.balanced_softmax_crossentropy(labels, z, ones)) + distilled(z)

        for term, loss in (("kd", distilled), ("total", total)):
            yield Case(
                f"{name} {term}",
                loss,
                [stored[f"{name}_logits"]],
                stored[f"{name}_lucir_{term}"],
                [stored[f"{name}_lucir_{term}_grad"]],
            )


def lucir_less_forget(oracle):
    stored = oracle("lucir_less_forget")
    for name in names(stored, "_grad_features_new"):
        teacher, weight = stored[f"{name}_features_old"], stored[f"{name}_lambda"]
        yield Case(
            name,
            lambda x, t=teacher, w=weight: float(w) * mean(losses.less_forget(t, x)),
            [stored[f"{name}_features_new"]],
            stored[f"{name}_loss"],
            [stored[f"{name}_grad_features_new"]],
        )


def lucir_margin_ranking(oracle):
    stored = oracle("lucir_margin_ranking")
    for name in names(stored, "_grad_scores"):
        labels, weight = stored[f"{name}_labels"], float(stored[f"{name}_weight"])
        options = (int(stored[f"{name}_n_old"]), int(stored[f"{name}_K"]))
        options += (float(stored[f"{name}_dist"]),)
        yield Case(
            name,
            lambda s, y=labels, w=weight, o=options: w * losses.margin_ranking(y, s, *o),
            [stored[f"{name}_scores"]],
            stored[f"{name}_loss"],
            [stored[f"{name}_grad_scores"]],
        )


def lucir_cosine(oracle):
    stored = oracle("lucir_cosine")
    old, new = stored["split_weight_old"], stored["split_weight_new"]
    single = layers.CosineDense(len(stored["weight"]), dtype="float64")
    split = layers.CosineDense(len(old) + len(new), dtype="float64")
    yield Case(
        "single",
        lambda x, w, s: ops.sum(head_output(single, x, w, s) * stored["upstream"]),
        [stored["features"], stored["weight"].T, stored["sigma"]],
        np.sum(stored["logits"] * stored["upstream"]),
        [stored["grad_features"], stored["grad_weight"].T, stored["grad_sigma"]],
    )
    yield Case(
        "split",
        lambda x, w, s: ops.sum(head_output(split, x, w, s) * stored["split_upstream"]),
        [stored["features"], np.concatenate([old, new]).T, stored["sigma"]],
        np.sum(stored["split_logits"] * stored["split_upstream"]),
        [
            stored["split_grad_features"],
            np.concatenate([stored["split_grad_weight_old"], stored["split_grad_weight_new"]]).T,
            stored["split_grad_sigma"],
        ],
    )


def lucir_total(oracle):
    stored = oracle("lucir_total")
    labels = stored["labels"]
    num_old, k = int(stored["n_old"]), int(stored["K"])
    kernel = np.concatenate([stored["weight_old"], stored["weight_new"]]).T
    head = layers.CosineDense(kernel.shape[1], dtype="float64")

    def loss(features, kernel, scale):
        logits = head_output(head, features, kernel, scale)
        cosines = head_output(head, features, kernel, 1.0)
        forget = losses.less_forget(stored["features_old"], features)
        entropy = losses.balanced_softmax_crossentropy(labels, logits, np.ones(logits.shape[-1]))
        ranking = losses.margin_ranking(labels, cosines, num_old, k, float(stored["dist"]))
        return (
            float(stored["lam"]) * mean(forget)
            + mean(entropy)
            + float(stored["weight_mr"]) * ranking
        )

    yield Case(
        "total",
        loss,
        [stored["features_new"], kernel, stored["sigma"]],
        stored["loss"],
        [
            stored["grad_features"],
            np.concatenate([stored["grad_weight_old"], stored["grad_weight_new"]]).T,
            stored["grad_sigma"],
        ],
    )


def podnet_pod(oracle):
    stored = oracle("podnet_pod")
    for name in ("spatial", "nonsquare", "old_only", "same", "one_same"):
        maps = range(int(stored[f"{name}_n_maps"]))
        teacher = [stored[f"{name}_old{i}"] for i in maps]
        kept = stored.get(f"{name}_memory_flags", np.ones(len(teacher[0]))).astype("float64")
        yield Case(
            name,
            lambda *m, t=teacher, w=kept: ops.sum(losses.pod_spatial(t, list(m)) * w) / w.sum(),
            [stored[f"{name}_new{i}"] for i in maps],
            stored[f"{name}_loss"],
            [stored[f"{name}_grad_new{i}"] for i in maps],
        )


def podnet_flat(oracle):
    stored = oracle("podnet_flat")
    for name in names(stored, "_grad_new"):
        teacher = stored[f"{name}_features_old"]
        yield Case(
            name,
            lambda x, t=teacher: mean(losses.pod_flat(t, x)),
            [stored[f"{name}_features_new"]],
            stored[f"{name}_loss"],
            [stored[f"{name}_grad_new"]],
        )


def podnet_nca(oracle):
    stored = oracle("podnet_nca")
    for name in names(stored, "_grad_similarities"):
        labels = stored[f"{name}_labels"]
        num_classes = stored[f"{name}_similarities"].shape[1]
        weights = stored.get(f"{name}_class_weights", np.ones(num_classes))[labels]
        margin = float(stored[f"{name}_margin"])

        def loss(s, scale, name=name, labels=labels, weights=weights, margin=margin):
            if name == "not_excluded":  # the official name for plain cross-entropy
                ones = np.ones(s.shape[-1])
                return mean(losses.balanced_softmax_crossentropy(labels, scale * s, ones))
            return mean(weights * losses.nca(labels, scale * s, margin, scale=scale))

        yield Case(
            name,
            loss,
            [stored[f"{name}_similarities"], stored[f"{name}_scale"]],
            stored[f"{name}_loss"],
            [stored[f"{name}_grad_similarities"], stored[f"{name}_grad_scale"]],
        )


def podnet_lsc(oracle):
    stored = oracle("podnet_lsc")
    proxies, scaling = int(stored["n_proxies"]), stored["scaling"]
    units = len(stored["weights"]) // proxies
    for similarity, key in (("cosine", "cosine"), ("released", "neg_stable_cosine_distance")):
        head = layers.LocalSimilarity(units, proxies, similarity, dtype="float64")
        yield Case(
            similarity,
            lambda x, w, h=head: ops.sum(head_output(h, x, w, scaling) * stored["upstream"]),
            [stored["features"], stored["weights"].T],
            np.sum(stored[f"{key}_logits"] * stored["upstream"]),
            [stored[f"{key}_grad_features"], stored[f"{key}_grad_weights"].T],
        )


ALL = {
    generate.__name__: generate
    for generate in (
        balanced_softmax,
        kd,
        lucir_less_forget,
        lucir_margin_ranking,
        lucir_cosine,
        lucir_total,
        podnet_pod,
        podnet_flat,
        podnet_nca,
        podnet_lsc,
    )
}


def check(case, value, gradients):
    """Asserts that a backend's float64 value and gradients are the official ones."""
    close = {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(value, case.value, **close, err_msg=f"{case.name}: value")
    for index, (gradient, official) in enumerate(zip(gradients, case.gradients, strict=True)):
        message = f"{case.name}: gradient of input {index}"
        np.testing.assert_allclose(gradient, official, **close, err_msg=message)
