"""Backbones of keras-hub, from presets on this disk: the published ones must be downloaded."""

import importlib.util
import sys

import keras
import numpy as np
import pytest

from tfcil import backbones
from tfcil.errors import UserError

needs_hub = pytest.mark.skipif(
    importlib.util.find_spec("keras_hub") is None, reason="needs the extra `hub`"
)
SHAPE = (28, 28, 3)
IMAGES = np.random.default_rng(0).uniform(0, 255, (2, *SHAPE)).astype("float32")


@pytest.fixture
def saved(tmp_path):
    """Saves a preset with its preprocessing, x / 50 - 2; returns what names it."""
    import keras_hub

    def saved(backbone):
        kind = {"DINOV2Backbone": "DINOV2", "ResNetBackbone": "ResNet"}[type(backbone).__name__]
        converter = getattr(keras_hub.layers, f"{kind}ImageConverter")
        backbone.save_to_preset(str(tmp_path))
        converter(scale=[1 / 50] * 3, offset=[-2.0] * 3).save_to_preset(str(tmp_path))
        return f"hub:{tmp_path}"

    return saved


def transformer():
    import keras_hub

    return keras_hub.models.DINOV2Backbone(
        **{"patch_size": 14, "num_layers": 1, "hidden_dim": 8, "num_heads": 2},
        **{"intermediate_dim": 16, "num_register_tokens": 2},
        **{"image_shape": SHAPE, "position_embedding_shape": SHAPE[:2]},
    )


def convolutional():
    import keras_hub

    return keras_hub.models.ResNetBackbone(
        **{"input_conv_filters": [64], "input_conv_kernel_sizes": [7]},
        **{"stackwise_num_filters": [64], "stackwise_num_blocks": [1]},
        **{"stackwise_num_strides": [1], "block_type": "basic_block", "image_shape": SHAPE},
    )


@needs_hub
@pytest.mark.parametrize(
    ("build", "pooled"),
    [(transformer, lambda x: x[:, 0]), (convolutional, lambda x: np.mean(x, axis=(1, 2)))],
    ids=["class token", "mean of the map"],
)
def test_features_are_those_of_the_preset(build, pooled, saved):
    backbone = build()
    model = backbones.build(saved(backbone), SHAPE, weights="preset")
    inputs = IMAGES / 50 - 2
    expected = backbone({"images": inputs} if build is transformer else inputs)
    np.testing.assert_allclose(
        model(IMAGES)["features"], pooled(np.asarray(expected)), rtol=1e-4, atol=1e-5
    )


@needs_hub
def test_random_weights_and_precision_are_those_asked_for(saved):
    backbone = transformer()
    name = saved(backbone)
    model = backbones.build(name, (42, 42, 3), dtype="mixed_bfloat16")
    (encoder,) = (layer for layer in model.layers if layer.name.endswith("_encoder"))
    assert encoder.compute_dtype == "bfloat16"
    assert model.output["features"].dtype == "float32"
    kernel = max(model.get_weights(), key=np.size)
    assert not any(np.array_equal(kernel, one) for one in backbone.get_weights())


@needs_hub
def test_a_network_of_keras_layers_opens_without_keras_hub(saved, tmp_path):
    model = backbones.build(saved(convolutional()), SHAPE)
    kinds = {type(one).__module__.split(".")[0] for one in model.layers}
    assert kinds == {"keras"}
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(IMAGES)["features"], model(IMAGES)["features"])


@needs_hub
def test_an_unknown_preset_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match="that keras-hub can load") as caught:
        backbones.build(f"hub:{tmp_path / 'nothing'}", SHAPE)
    assert str(caught.value).endswith(f"Received: model.backbone=hub:{tmp_path / 'nothing'}")
    assert "\n" not in str(caught.value)


def test_without_keras_hub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(UserError, match=r"pip install 'tfcil\[hub\]'") as caught:
        backbones.build("hub:dinov2_small", SHAPE, weights="preset")
    assert str(caught.value).endswith("Received: model.backbone=hub:dinov2_small")
