"""The CIFAR networks against the official PyTorch ones, weight for weight."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcil import backbones

NETWORKS = {"lucir": "resnet32_lucir", "pycil": "resnet32", "podnet": "resnet32_rebuffi"}
POOLED = {"lucir": "features", "pycil": "features", "podnet": "raw_features"}
BLOCKS = {"lucir": "layer{}.{}.", "pycil": "stage_{}.{}.", "podnet": "stage_{}.blocks.{}."}
LUCIR_PARTS = {"shortcut_conv": "downsample.0", "shortcut_bn": "downsample.1"}
OTHER_STEM = {"stem_conv": "conv_1_3x3", "stem_bn": "bn_1"}
LUCIR_STEM = {"stem_conv": "conv1", "stem_bn": "bn1"}
OTHER_PARTS = {"conv1": "conv_a", "bn1": "bn_a", "conv2": "conv_b", "bn2": "bn_b"}


def torch_name(dialect, layer):
    """Translates `stage2_block1_conv1` to the name of the same layer in the official network."""
    if layer.startswith("stem"):
        return (LUCIR_STEM if dialect == "lucir" else OTHER_STEM)[layer]
    stage, block, part = re.fullmatch(r"stage(\d)_block(\d)_(\w+)", layer).groups()
    prefix = BLOCKS[dialect].format(stage, int(block) - 1)
    if (dialect, stage) == ("podnet", "4"):
        prefix = "stage_4."
    parts = LUCIR_PARTS if dialect == "lucir" else OTHER_PARTS
    return prefix + parts.get(part, part)


def weighted_layers(model):
    return [layer for layer in model.layers if layer.weights]


@pytest.fixture
def official(oracle):
    """Builds our network with the weights of an official one; returns it and the numbers."""

    def load(dialect):
        stored = oracle(f"resnet32_{dialect}")
        model = backbones.build(NETWORKS[dialect], stored["x"].shape[1:])
        for layer in weighted_layers(model):
            name = "w/" + torch_name(dialect, layer.name)
            if isinstance(layer, keras.layers.Conv2D):
                layer.set_weights([stored.pop(f"{name}.weight").transpose(2, 3, 1, 0)])
            else:
                kinds = ("weight", "bias", "running_mean", "running_var")
                layer.set_weights([stored[f"{name}.{kind}"] for kind in kinds])
                for kind in kinds:
                    stored[f"before/{name[2:]}.{kind}"] = stored.pop(f"{name}.{kind}")
        return model, stored

    return load


def assert_close(received, expected, tolerance=1e-4):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.asarray(received), expected, rtol=0, atol=tolerance * scale)


def assert_outputs(outputs, stored, mode, pooled):
    for stage, received in enumerate(outputs["maps"], start=1):
        assert_close(received, stored[f"{mode}/stage{stage}"])
    assert f"{mode}/stage{len(outputs['maps']) + 1}" not in stored
    assert_close(outputs["features"], stored[f"{mode}/{pooled}"])


@pytest.mark.parametrize("dialect", NETWORKS)
def test_every_official_weight_has_its_place(official, dialect):
    """Parameter count, multiply-adds, and no official weight left over but the head's."""
    model, stored = official(dialect)
    left = {name for name in stored if name.startswith("w/") and "num_batches" not in name}
    assert not {name for name in left if not name.startswith("w/fc.")}
    parameters = sum(int(np.prod(one.shape)) for one in model.trainable_weights)
    assert parameters == stored["n_params_backbone"]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    multiply_adds = sum(
        np.prod(one.output.shape[1:3]) * np.prod(one.kernel.shape) for one in convolutions
    )
    assert multiply_adds == stored["macs_conv"]


@pytest.mark.parametrize("dialect", NETWORKS)
def test_inference_agrees_with_the_official_network(official, dialect):
    model, stored = official(dialect)
    assert_outputs(model(stored["x"], training=False), stored, "eval", POOLED[dialect])


@pytest.mark.parametrize("dialect", NETWORKS)
def test_training_agrees_with_the_official_network(official, dialect):
    """Maps, features, gradients and the running statistics that one training pass leaves."""
    model, stored = official(dialect)
    x = tf.constant(stored["x"])
    last = weighted_layers(model)[-1]
    inputs = [x, model.get_layer("stem_conv").kernel.value, last.gamma.value, last.beta.value]
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = model(x, training=True)
        loss = tf.reduce_sum(outputs["features"] * stored["train/upstream"])
    grad_x, grad_conv, grad_gamma, grad_beta = tape.gradient(loss, inputs)
    assert_outputs(outputs, stored, "train", POOLED[dialect])
    assert_close(grad_x, stored["train/grad_x"])
    assert_close(tf.transpose(grad_conv, (3, 2, 0, 1)), stored["train/grad_first_conv"])
    assert_close(grad_gamma, stored["train/grad_last_bn_gamma"])
    assert_close(grad_beta, stored["train/grad_last_bn_beta"])
    for layer in weighted_layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            name = torch_name(dialect, layer.name)
            count = len(x) * np.prod(layer.input.shape[1:3])
            kept = 0.9 * stored[f"before/{name}.running_var"]
            unbiased = stored[f"after/{name}.running_var"] - kept
            # Torch keeps n / (n - 1) times the variance of the batch, Keras the variance itself.
            assert_close(layer.moving_variance, kept + unbiased * (count - 1) / count)
            assert_close(layer.moving_mean, stored[f"after/{name}.running_mean"])


def test_rebuffi_with_last_relu_pools_what_podnet_calls_features(official):
    raw, stored = official("podnet")
    model = backbones.build("resnet32_rebuffi", (32, 32, 3), last_relu=True)
    model.set_weights(raw.get_weights())
    assert_close(model(stored["x"])["features"], stored["eval/features"])


def test_pad_shortcut_picks_every_other_pixel_and_appends_zero_channels():
    model = backbones.build("resnet20", (9, 12, 3))
    ends = [model.get_layer(name).output for name in ("map1", "stage2_block1_shortcut_pad")]
    x = np.random.default_rng(0).normal(size=(2, 9, 12, 3)).astype("float32")
    before, after = (np.asarray(one) for one in keras.Model(model.input, ends)(x))
    assert after.shape == (2, 5, 6, 32)
    np.testing.assert_array_equal(after[..., :16], before[:, ::2, ::2])
    np.testing.assert_array_equal(after[..., 16:], 0)


@pytest.mark.parametrize("name", ["resnet32", "resnet32_lucir"])
def test_odd_sizes_halve_upwards_whatever_the_shortcut(name):
    model = backbones.build(name, (33, 19, 1))
    assert [one.shape[1:] for one in model.output["maps"]] == [
        (33, 19, 16),
        (17, 10, 32),
        (9, 5, 64),
    ]


@pytest.mark.parametrize("last_relu", [True, False])
def test_features_are_the_mean_of_the_last_map_with_or_without_its_relu(last_relu):
    outputs = backbones.build("resnet20", (8, 8, 3), last_relu=last_relu)(
        np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype("float32")
    )
    last = np.asarray(outputs["maps"][-1])
    np.testing.assert_allclose(outputs["features"], last.mean((1, 2)), rtol=1e-5, atol=1e-6)
    assert (last.min() >= 0) == last_relu


def test_resnet20_has_the_parameters_of_its_definition():
    model = backbones.build("resnet20", (32, 32, 3))
    stem = 3 * 9 * 16 + 32
    stages = [6 * (9 * c * c + 2 * c) - halved for c, halved in [(16, 0), (32, 4608), (64, 18432)]]
    assert sum(int(np.prod(one.shape)) for one in model.trainable_weights) == stem + sum(stages)


def test_convolutions_start_independent_and_with_the_variance_of_fan_out():
    keras.utils.set_random_seed(0)
    model = backbones.build("resnet20", (32, 32, 3))
    widening, first, second = (
        np.asarray(model.get_layer(f"stage3_{name}").kernel)
        for name in ("block1_conv1", "block1_conv2", "block2_conv2")
    )
    assert widening.shape == (3, 3, 32, 64)
    assert widening.std() == pytest.approx(np.sqrt(2 / (9 * 64)), rel=0.03)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_rebuffi_blocks_start_as_the_identity():
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    maps = backbones.build("resnet32_rebuffi", (16, 16, 3))(x)["maps"]
    np.testing.assert_array_equal(maps[3], maps[2])
    np.testing.assert_array_equal(maps[1][..., :16], maps[0][:, ::2, ::2])
