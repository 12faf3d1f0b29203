"""The official implementations' numbers as (loss, inputs, value, gradients), for any backend."""

from typing import NamedTuple

import numpy as np
from formulas import entropy, softmax
from keras import ops

from tfcil import layers, losses
from tfcil.classification.shared.supervision import balanced_supervision


class Case(NamedTuple):
    """One scalar `loss` of float64 `inputs`, and what the official code gave for it."""

    name: str
    loss: callable
    inputs: list
    value: float
    gradients: list  # None where the official code gave no gradient


def mean(values):
    """Keras's own mean works in float32 on JAX."""
    return ops.sum(values) / values.shape[0]


def names(stored, suffix):
    return [key.removesuffix(suffix) for key in stored if key.endswith(suffix)]


def cross_entropy(labels, logits):
    return mean(losses.balanced_softmax_crossentropy(labels, logits, np.ones(logits.shape[-1])))


def soft_cross_entropy(teacher, student, temperature):
    """The distillation of PyCIL: without T^2, with the teacher's entropy."""
    divergence = mean(losses.logit_distillation(teacher, student, temperature))
    return divergence / temperature**2 + entropy(softmax(teacher / temperature))


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
            return cross_entropy(labels, z) + distilled(z)

        def soft(z, teacher=teacher, temperature=temperature):
            return soft_cross_entropy(teacher, z, temperature)

        def mixed(z, labels=labels, soft=soft, part=float(stored[f"{name}_wa_kd_lambda"])):
            return (1 - part) * cross_entropy(labels, z) + part * soft(z)

        for value, gradient, loss in (
            ("lucir_kd", "lucir_kd_grad", distilled),
            ("lucir_total", "lucir_total_grad", total),
            ("pycil_kd", "pycil_kd_grad", soft),
            ("wa_loss", "wa_grad", mixed),
            ("bic_stage1_loss", "bic_stage1_grad", mixed),
        ):
            yield Case(
                f"{name} {value}",
                loss,
                [stored[f"{name}_logits"]],
                stored[f"{name}_{value}"],
                [stored[f"{name}_{gradient}"]],
            )


def gce(oracle):
    """Not official numbers: the formulas in float64 PyTorch."""
    stored = oracle("gce")
    for name in names(stored, "_grad"):
        case, loss = name.removesuffix("_balanced").split("_", 1)
        counts = stored["counts"] if name.endswith("_balanced") else None
        labels = stored[f"{case}_labels"]

        def value(z, loss=loss, labels=labels, counts=counts):
            if loss == "rjm":
                return mean(losses.reduced_jeffries_matusita(labels, z, counts))
            q = float(loss.removeprefix("gce_q"))
            return mean(losses.generalized_crossentropy(labels, z, q, counts))

        yield Case(
            name,
            value,
            [stored[f"{case}_logits"]],
            stored[f"{name}_loss_mean"],
            [stored[f"{name}_grad"]],
        )


def tal(oracle):
    """The authors' code in float64 PyTorch; the weights follow from the supervision before."""
    stored = oracle("tal")
    for name in names(stored, "_supervision"):
        exponent = float(stored[f"{name}_exponent"])
        supervision = stored[f"{name}_supervision"]
        balanced = balanced_supervision(supervision.shape[1], exponent)
        for step in (1, 10, 39):
            weights = (np.maximum(supervision[step - 1], 0) / balanced) ** exponent
            labels = stored[f"{name}_labels"][step]

            def value(z, labels=labels, weights=weights):
                return ops.sum(losses.temporal_adjusted_crossentropy(labels, z, weights))

            yield Case(
                f"{name} step {step}",
                value,
                [stored[f"{name}_logits"][step]],
                np.sum(stored[f"{name}_losses"][step]),
                [stored[f"{name}_gradients"][step]],
            )


def dakd(oracle):
    """Without T^2, and with the teacher's entropy."""
    stored = oracle("dakd")
    for name in names(stored, "_grad"):
        teacher, temperature = stored[f"{name}_logits_old"], float(stored[f"{name}_T"])
        lost = stored[f"{name}_lost_counts"]

        def loss(z, teacher=teacher, lost=lost, t=temperature):
            divergence = losses.distribution_aware_distillation(teacher, z, lost, t)
            return mean(divergence) / t**2 + entropy(softmax(teacher / t))

        yield Case(
            name,
            loss,
            [stored[f"{name}_logits"]],
            stored[f"{name}_loss"],
            [stored[f"{name}_grad"]],
        )


def icarl_bce(oracle):
    stored = oracle("icarl_bce")
    for prefix, teacher in (("", stored["logits_old"]), ("first_task_", None)):
        yield Case(
            prefix or "with a teacher",
            lambda z, t=teacher: mean(losses.sigmoid_crossentropy(stored["labels"], z, t)),
            [stored["logits"]],
            stored[f"{prefix}loss"],
            [stored[f"{prefix}grad"]],
        )


def ssil(oracle):
    stored = oracle("ssil")
    labels = np.concatenate([stored["labels_current"], stored["labels_replay"]])
    num_old = int(stored["task_boundaries"][-2])
    sizes = np.diff(stored["task_boundaries"])[:-1].tolist()

    def classified(z):
        return mean(losses.separated_softmax_crossentropy(labels, z, num_old))

    def distilled(z):
        temperature = float(stored["T"])
        return mean(losses.taskwise_distillation(stored["logits_old"], z, sizes, temperature))

    for key, loss, gradient in (
        ("loss_ce", classified, None),
        ("loss_kd", distilled, None),
        ("loss", lambda z: classified(z) + distilled(z), stored["grad"]),
    ):
        yield Case(key, loss, [stored["logits"]], stored[key], [gradient])


def foster(oracle):
    stored = oracle("foster")
    labels, temperature = stored["labels"], float(stored["T"])
    old, teacher = stored["old_logits"], stored["logits"]
    num_old = int(stored["n_old"])
    counts = np.full(teacher.shape[1], stored["n_per_new"])
    counts[:num_old] = stored["n_per_old"]
    boosting = losses.effective_number_weights(counts, float(stored["beta1"]))
    compression = losses.effective_number_weights(counts, float(stored["beta2"]))

    def classified(z):
        return mean(losses.rescaled_crossentropy(labels, z, boosting))

    def distilled(z):
        return soft_cross_entropy(old, z, temperature)

    def boosted(z, new):
        return classified(z) + cross_entropy(labels, new) + distilled(z)

    def compressed(z):
        weighted = compression * softmax(teacher / temperature)
        constant = entropy(weighted / weighted.sum(axis=1, keepdims=True))
        return constant + mean(losses.weighted_distillation(teacher, z, compression, temperature))

    for key, loss, inputs, gradients in (
        ("boost_loss_clf", classified, ["logits"], [None]),
        ("boost_loss_kd", distilled, ["logits"], [None]),
        (
            "boost_loss",
            boosted,
            ["logits", "fe_logits"],
            ["boost_grad_logits", "boost_grad_fe_logits"],
        ),
        ("compress_loss", compressed, ["dark_logits"], ["compress_grad_dark"]),
    ):
        official = [key and stored[key] for key in gradients]
        yield Case(key, loss, [stored[each] for each in inputs], stored[key], official)


def der(oracle):
    stored = oracle("der")
    labels, num_old = stored["labels"], int(stored["n_old"])
    temperature = float(stored["retrain_temperature"])
    retrained = np.full(stored["logits"].shape[1], temperature)

    def classified(z):
        return cross_entropy(labels, z)

    def plain(z):
        return mean(losses.softmax_crossentropy(labels, z))

    def auxiliary(z):
        return mean(losses.auxiliary_crossentropy(labels, z, num_old))

    def cooled(z):
        return mean(losses.rescaled_crossentropy(labels, z, retrained))

    def at_temperature(z):
        return mean(losses.softmax_crossentropy(labels, z, temperature))

    for key, loss, inputs, gradients in (
        ("loss_clf", classified, ["logits"], ["grad_logits"]),
        ("official_loss_clf", classified, ["logits"], ["grad_logits"]),
        ("official_loss_clf", plain, ["logits"], ["grad_logits"]),
        ("loss_aux", auxiliary, ["aux_logits"], ["grad_aux"]),
        ("official_loss_aux", auxiliary, ["aux_logits"], ["grad_aux"]),
        (
            "loss",
            lambda z, aux: classified(z) + auxiliary(aux),
            ["logits", "aux_logits"],
            ["grad_logits", "grad_aux"],
        ),
        ("retrain_loss", cooled, ["logits"], ["retrain_grad"]),
        ("retrain_loss", at_temperature, ["logits"], ["retrain_grad"]),
    ):
        yield Case(
            key,
            loss,
            [stored[each] for each in inputs],
            stored[key],
            [stored[each] for each in gradients],
        )


def cwd(oracle):
    stored = oracle("cwd")
    num_old = int(stored["war_n_old"])

    def loss(kernel):
        norms = ops.sqrt(ops.sum(ops.square(kernel), axis=0))[None]
        return mean(losses.norm_alignment(norms, num_old))

    kernel, official = stored["war_weight"].T, stored["war_grad"].T
    yield Case("norm alignment", loss, [kernel], stored["war_loss"], [official])


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
            lambda s, y=labels, w=weight, o=options: w * mean(losses.margin_ranking(y, s, *o)),
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
        ranking = mean(losses.margin_ranking(labels, cosines, num_old, k, float(stored["dist"])))
        return (
            float(stored["lam"]) * mean(forget)
            + cross_entropy(labels, logits)
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
    known = {"spatial", "nonsquare", "old_only", "same", "one_same"}  # the others pool otherwise
    for name in sorted(known & {*names(stored, "_n_maps")}):
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
                return cross_entropy(labels, scale * s)
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
        gce,
        tal,
        dakd,
        icarl_bce,
        ssil,
        foster,
        der,
        cwd,
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
        if official is not None:
            message = f"{case.name}: gradient of input {index}"
            np.testing.assert_allclose(gradient, official, **close, err_msg=message)
