"""One Keras loss for every loss function: its value, gradient, precision, saving and refusals."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcil import losses
from tfcil.errors import UserError
from tfcil.losses import FunctionLoss
from tfcil.losses.wrapper import loss_functions

COUNTS, WEIGHTS = [20, 20, 20, 500, 500], [1.5, 1.0, 0.5, 0.7, 1.3]
# Every option of every function, none at its default.
OPTIONS = {
    "auxiliary_crossentropy": {"num_old": 2},
    "balanced_softmax_crossentropy": {"class_counts": COUNTS, "tau": 0.5},
    "distribution_aware_distillation": {"lost_counts": [480, 30, 0], "temperature": 3.0},
    "generalized_crossentropy": {"q": 0.3, "class_counts": COUNTS},
    "less_forget": {},
    "logit_distillation": {"temperature": 3.0},
    "margin_ranking": {"num_old": 3, "k": 1, "margin": 0.2},
    "margin_violations": {"num_old": 3, "k": 1, "margin": 0.2},
    "maximum_mean_discrepancy": {"bandwidths": [0.5, 2.0]},
    "nca": {"margin": 0.3, "variant": "paper", "scale": 2.0},
    "pod_flat": {},
    "pod_spatial": {},
    "reduced_jeffries_matusita": {"class_counts": COUNTS},
    "rescaled_crossentropy": {"class_weights": WEIGHTS},
    "separated_softmax_crossentropy": {"num_old": 3},
    "sigmoid_crossentropy": {},
    "softmax_crossentropy": {"temperature": 3.0},
    "taskwise_distillation": {"task_sizes": [1, 2], "temperature": 3.0},
    "temporal_adjusted_crossentropy": {"weights": WEIGHTS},
    "triplet": {"margin": 4.0},
    "weighted_distillation": {"class_weights": WEIGHTS, "temperature": 3.0},
}
OF_FEATURES = ("less_forget", "maximum_mean_discrepancy", "pod_flat", "pod_spatial")
TEACHER_COLUMNS = {
    "distribution_aware_distillation": 3,
    "logit_distillation": 3,
    "taskwise_distillation": 3,
}


def batch_of(name, dtype="float32"):
    """Labels or a teacher's output, and a student's output of 5 columns, for 4 samples."""
    rng = np.random.default_rng(0)
    shape = (4, 6, 3, 5) if name == "pod_spatial" else (4, 5)
    y_pred = rng.normal(size=shape).astype(dtype) * 3
    if "distillation" in name or name in OF_FEATURES:
        teacher = rng.normal(size=shape).astype(dtype) * 3
        return teacher[..., : TEACHER_COLUMNS.get(name, 5)], y_pred
    return np.array([0, 0, 3, 3] if name == "triplet" else [0, 2, 3, 4]), y_pred


def value_and_gradient(loss, y_pred):
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_pred)
    return value.numpy(), tape.gradient(value, y_pred).numpy()


def round_trip(loss):
    """Saves to JSON, as in a .keras file, and opens again."""
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    return keras.saving.deserialize_keras_object(config)


def test_every_loss_function_is_tried_here():
    assert set(OPTIONS) == set(loss_functions())


def test_classes_weights_and_adjusted_logits_are_no_loss_functions():
    others = {"BalancedSoftmaxCrossentropy", "FunctionLoss"}
    others |= {"adjust_logits", "norm_alignment", "effective_number_weights"}
    assert set(losses.__all__) - set(OPTIONS) == others


@pytest.mark.parametrize("name", OPTIONS)
def test_value_and_gradient_are_those_of_the_functions_mean(name):
    function, (y_true, y_pred) = getattr(losses, name), batch_of(name)
    loss = FunctionLoss(name, **OPTIONS[name])
    value, gradient = value_and_gradient(lambda z: loss(y_true, z), y_pred)
    expected, expected_gradient = value_and_gradient(
        lambda z: tf.reduce_mean(function(y_true, z, **OPTIONS[name])), y_pred
    )
    assert expected > 0
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", OPTIONS)
def test_without_reduction_it_gives_the_functions_values(name):
    y_true, y_pred = batch_of(name)
    found = FunctionLoss(name, reduction=None, **OPTIONS[name])(y_true, y_pred)
    expected = getattr(losses, name)(y_true, y_pred, **OPTIONS[name])
    assert found.shape == (4,)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", OPTIONS)
def test_labels_in_a_column_and_sample_weights(name):
    y_true, y_pred = batch_of(name)
    loss, weights = FunctionLoss(name, **OPTIONS[name]), np.arange(4.0)
    values = getattr(losses, name)(y_true, y_pred, **OPTIONS[name]).numpy()
    column = y_true[:, None] if y_true.ndim == 1 else y_true
    found = loss(column, y_pred, sample_weight=weights)
    np.testing.assert_allclose(found, (values * weights).mean(), rtol=1e-6)


@pytest.mark.parametrize("name", OPTIONS)
def test_serialised_loss_comes_back_whole(name):
    """From the function and arrays, by JSON, where arrays are lists; Keras would drop the dtype."""
    arrays = {
        key: np.array(value) if isinstance(value, list) else value
        for key, value in OPTIONS[name].items()
    }
    common = {"reduction": "sum", "name": "mine", "dtype": "float64"}
    loss = FunctionLoss(getattr(losses, name), **common, **arrays)
    assert loss.get_config() == {**common, "function": name, **OPTIONS[name]}
    copy = round_trip(loss)
    assert type(copy) is FunctionLoss
    assert copy.get_config() == loss.get_config()
    assert copy.dtype == "float64"
    y_true, y_pred = batch_of(name, "float64")
    np.testing.assert_array_equal(copy(y_true, y_pred), loss(y_true, y_pred))


def test_registered_name_is_that_of_the_package():
    config = keras.saving.serialize_keras_object(FunctionLoss("nca"))
    assert config["registered_name"] == "tfcil>FunctionLoss"
    assert FunctionLoss("nca").name == "nca"


def test_functions_options_do_not_hide_those_of_the_loss():
    own = {"function", "reduction", "name", "dtype"}
    assert not [name for name in OPTIONS if own & OPTIONS[name].keys()]


@pytest.mark.parametrize(
    ("given", "saved"),
    [
        (np.array(WEIGHTS, "float32"), np.array(WEIGHTS, "float32").tolist()),
        (tuple(WEIGHTS), WEIGHTS),
        ([np.float64(each) for each in WEIGHTS], WEIGHTS),
        (tf.constant([1, 2, 3, 4, 5]), [1, 2, 3, 4, 5]),
        ([np.int64(1), np.float32(0.5), 1, 1, 1], [1, 0.5, 1, 1, 1]),
    ],
)
def test_arrays_tensors_and_numbers_of_numpy_are_saved_as_plain_ones(given, saved):
    found = FunctionLoss("rescaled_crossentropy", class_weights=given).get_config()
    assert json.loads(json.dumps(found["class_weights"])) == saved
    found = FunctionLoss("auxiliary_crossentropy", num_old=np.int64(10)).get_config()
    assert json.dumps(found["num_old"]) == "10"


def test_options_cannot_change_after_construction():
    """Keras traces them at the first batch and would silently go on using the old ones."""
    given = np.array(WEIGHTS)
    loss = FunctionLoss("rescaled_crossentropy", class_weights=given)
    given[0] = 1e6
    loss.get_config()["class_weights"][0] = 1e6
    assert loss.get_config()["class_weights"] == WEIGHTS


def test_labels_above_256_survive_a_bfloat16_loss():
    """bfloat16 would turn label 257 into 256; the loss must not follow such a dtype."""
    logits = np.zeros((1, 300), "float32")
    logits[0, 257] = 5
    for dtype in ("bfloat16", "float16", "mixed_bfloat16"):
        loss = FunctionLoss("softmax_crossentropy", dtype=dtype)
        assert loss.dtype == round_trip(loss).dtype == "float32"
        np.testing.assert_allclose(loss([257], logits), np.log(299 + np.exp(5)) - 5, rtol=1e-5)


def test_pod_spatial_takes_lists_of_maps():
    maps = [np.random.default_rng(seed).normal(size=(5, 4, 3, 6)) for seed in range(4)]
    maps = [each.astype("float32") for each in maps]
    expected = np.mean(losses.pod_spatial(maps[:2], maps[2:]))
    np.testing.assert_allclose(FunctionLoss("pod_spatial")(maps[:2], maps[2:]), expected, rtol=1e-6)


def own_function(y_true, y_pred):
    return y_pred[:, 0]


def logit_distillation(teacher_logits, student_logits):
    """Has the name of one of ours."""
    return student_logits[:, 0]


@pytest.mark.parametrize(
    "function",
    [
        *(own_function, logit_distillation, lambda y_true, y_pred: y_pred, keras.losses.hinge),
        *(losses.BalancedSoftmaxCrossentropy, losses.adjust_logits, np.zeros(3), None, 3),
        *("adjust_logits", "BalancedSoftmaxCrossentropy", "numerics", "__name__", "mse", ""),
    ],
)
def test_function_that_is_not_ours_is_refused(function):
    """Only a name of `tfcil.losses` says the same when the model is opened elsewhere."""
    with pytest.raises(UserError, match=r"^function must be .*nca, .*Received: function=") as error:
        FunctionLoss(function)
    assert "\n" not in str(error.value)


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"did you mean logit_distillation\?.*='logit_destilation'"):
        FunctionLoss("logit_destilation")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            *("logit_distillation", {"temprature": 2.0}),
            r"takes temperature \(did you mean temperature\?\)\. Received: temprature=2\.0$",
        ),
        ("less_forget", {"temperature": 2.0}, "less_forget takes no options. Received: temper"),
        ("nca", {"y_true": [1]}, r"nca takes margin, variant, scale\. Received: y_true=\[1\]$"),
        ("nca", {"similarities": [[1]]}, "Received: similarities="),
        ("sigmoid_crossentropy", {"teacher_logits": [[1.0]]}, "Received: teacher_logits="),
        ("auxiliary_crossentropy", {}, r"needs the option num_old\. Received: options=\[\]$"),
        (
            "taskwise_distillation",
            {"temperature": 2.0},
            r"task_sizes\. Received: options=\['temperature'",
        ),
        ("rescaled_crossentropy", {"class_weights": {1, 2}}, "must be a number.*Received: class_w"),
        ("rescaled_crossentropy", {"class_weights": [object()]}, "Received: class_weights="),
        ("nca", {"scale": keras.KerasTensor((1,))}, "must be a number.*Received: scale=<Keras"),
        ("nca", {"variant": "proxy"}, "Received: variant='proxy'"),
        *(
            (name, {**OPTIONS[name], "temperature": temperature}, "Received: temperature=")
            for name in OPTIONS
            if "temperature" in OPTIONS[name]
            for temperature in (0, -1.0, float("nan"))
        ),
    ],
)
def test_unusable_options_are_refused_before_the_first_batch(name, options, message):
    with pytest.raises(UserError, match=message) as error:
        FunctionLoss(name, **options)
    assert "\n" not in str(error.value)


def toy_model():
    inputs = keras.Input((2,))
    outputs = keras.layers.Dense(5, kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    return keras.Model(inputs, outputs(inputs))


@pytest.mark.parametrize("name", [name for name in OPTIONS if name != "pod_spatial"])
def test_saved_compiled_model_reopens_and_trains(name, tmp_path):
    model, x = toy_model(), np.random.default_rng(0).normal(size=(4, 2)).astype("float32")
    y_true, _ = batch_of(name)
    model.compile("sgd", FunctionLoss(name, **OPTIONS[name]))
    model.fit(x, y_true, verbose=0)
    model.save(tmp_path / "model.keras")
    reopened = keras.models.load_model(tmp_path / "model.keras")
    assert reopened.loss.get_config() == model.loss.get_config()
    expected = model.evaluate(x, y_true, verbose=0)
    np.testing.assert_allclose(reopened.evaluate(x, y_true, verbose=0), expected, rtol=1e-6)
    reopened.fit(x, y_true, verbose=0)


def test_fit_pulls_a_student_to_its_teacher(tmp_path):
    """Several losses in one compile(): logits, features and a map of a small network."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(3, 3, name="maps")(inputs)
    features = keras.layers.GlobalAveragePooling2D(name="features")(maps)
    logits = keras.layers.Dense(5, name="logits")(features)
    outputs = {"maps": maps, "features": features, "logits": logits}
    teacher, student = (keras.models.clone_model(keras.Model(inputs, outputs)) for _ in range(2))
    x = np.random.default_rng(0).normal(size=(16, 4, 4, 1)).astype("float32")
    targets = teacher.predict(x, verbose=0)
    targets["logits"] = targets["logits"][:, :3]
    chosen = {
        "maps": FunctionLoss("pod_spatial"),
        "features": FunctionLoss("pod_flat"),
        "logits": FunctionLoss("logit_distillation"),
    }
    student.compile(keras.optimizers.Adam(0.02), loss=chosen)
    history = student.fit(x, targets, epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    student.save(tmp_path / "student.keras")
    reopened = keras.models.load_model(tmp_path / "student.keras")
    assert {name: loss.name for name, loss in reopened.loss.items()} == {
        name: loss.name for name, loss in chosen.items()
    }
