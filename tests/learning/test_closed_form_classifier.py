"""IncrementalClassifier with closed-form methods: statistics instead of images are its state."""

import json
import shutil

import keras
import numpy as np
import pytest
import tiny_learning
import yaml
from characters import characters
from tiny_params import tiny_params

import tfcil
from tfcil.config.network import Model
from tfcil.data.store import read_images
from tfcil.errors import UserError
from tfcil.learning import state
from tfcil.stages.layout import Layout
from tfcil.stages.run import run_all

FIXED = {  # nothing is chosen on images held out, so that the order of the tasks is all
    "ncm": {},
    "lda": {"shrinkage": 0.1},
    "ridge": {"strength": 0.01},
    "ranpac": {"strength": 0.01, "projections": 100},
}


def classifier(name, folder=None, budget=0, **settings):
    """Made of a small network, not trained yet."""
    options = {name: FIXED[name]}
    method = {"name": name, "loss": "ce"}
    return tiny_learning.classifier(
        folder, budget, method=method, options=options, seed=1993, **settings
    )


def from_keras(name, classes=4, **settings):
    """Made of a Keras model whose head was drawn: it knows `classes` characters by name only."""
    network = tiny_learning.backbone()
    whole = keras.Model(network.inputs, keras.layers.Dense(classes)(network.outputs[0]))
    method = {"name": name, "loss": "ce"}
    settings = {"budget": 0, "options": {name: FIXED[name]}} | settings
    return tfcil.IncrementalClassifier.from_keras(whole, method=method, **settings)


def head_of(model):
    return model.get_layer("logits").get_weights()


def assert_same(one, other, **tolerance):
    for array, expected in zip(one, other, strict=True):
        np.testing.assert_allclose(array, expected, **tolerance)


@pytest.fixture
def folder(tmp_path):
    """The folder of a classifier that has learned one task by lda."""
    classifier("lda", tmp_path / "state").learn(*characters(0, 4))
    return tmp_path / "state"


@pytest.mark.parametrize("name", ["lda", "ranpac"])
def test_two_calls_are_one_experiment_of_the_pipeline(name, tmp_path):
    """The same images, and the same network: the same head, to the bit; the second call is made
    by a classifier that was opened from its folder."""
    keras.Model.save(tiny_learning.backbone(), tmp_path / "tiny.keras")
    params = tiny_params(
        3,
        2,
        memory=0,
        model={"backbone": str(tmp_path / "tiny.keras"), "pixels": "raw"},
        method={"name": name, "loss": "ce"},
        options={name: FIXED[name]},
    )
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    run_all(tmp_path)
    layout = Layout.of(tmp_path)
    first, second = (read_images(layout.train_images(key)) for key in ("00", "01"))
    classifier(name, tmp_path / "state").learn(*first)
    again = tfcil.IncrementalClassifier.open(tmp_path / "state").learn(*second)
    expected = keras.models.load_model(layout.model("01"))
    for one, other in zip(head_of(again.model), head_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    with np.load(layout.statistics("01")) as kept:
        assert set(kept) == set(again.statistics)
        for key, array in again.statistics.items():
            np.testing.assert_array_equal(array, kept[key])


def test_nothing_is_kept_but_model_and_statistics_and_nobody_is_warned(folder):
    """A warning would be an error here: pyproject.toml says so."""
    assert {file.name for file in folder.iterdir()} == {
        *("state.json", "model-1.keras", "memory-1.npz", "statistics-1.npz")
    }
    again = tfcil.IncrementalClassifier.open(folder)
    again.learn(*characters(4, 6))
    assert len(again.memory) == 0
    assert again.memory.original_counts.tolist() == [15] * 6
    images, labels = characters(0, 6)
    assert np.mean(again.predict(images) == labels) > 0.5
    assert not (folder / "statistics-1.npz").exists()


@pytest.mark.parametrize("name", FIXED)
def test_the_order_of_the_tasks_changes_the_places_of_logits_alone(name):
    """And their common factor, which follows the last task's images held out."""
    parts = {"a": (0, 3), "b": (3, 5), "c": (5, 7)}

    def learned(order):
        one = classifier(name)
        for part in order:
            images, labels = characters(*parts[part])
            one.learn(images, [f"{label}" for label in labels])
        return one

    one, other = learned("abc"), learned("acb")
    places = [other.classes.index(label) for label in one.classes]
    assert places != sorted(places)
    first, second = (
        [array / np.linalg.norm(head[0]) for array in head]
        for head in (head_of(one.model), head_of(other.model))
    )
    assert_same(first, [array[..., places] for array in second], rtol=1e-4, atol=1e-6)
    images, _ = characters(0, 7)
    assert one.predict(images).tolist() == other.predict(images).tolist()


@pytest.mark.parametrize("killed_in", ["save_classifier", "save_npz", "write_json"])
def test_a_kill_leaves_the_state_of_before(folder, killed_in, monkeypatch):
    class KilledError(BaseException):
        pass

    def kill(*arguments, **named):
        raise KilledError

    before = tfcil.IncrementalClassifier.open(folder)
    with monkeypatch.context() as patch:
        patch.setattr(state, killed_in, kill)
        with pytest.raises(KilledError):
            tfcil.IncrementalClassifier.open(folder).learn(*characters(4, 6))
    after = tfcil.IncrementalClassifier.open(folder)
    assert after.classes == [0, 1, 2, 3]
    for key, array in before.statistics.items():
        np.testing.assert_array_equal(after.statistics[key], array)
    after.learn(*characters(4, 6))
    assert {file.name for file in folder.iterdir()} == {
        *("state.json", "model-2.keras", "memory-2.npz", "statistics-2.npz")
    }


def test_a_state_without_its_statistics_is_told_in_one_line(folder):
    (folder / "statistics-1.npz").unlink()
    with pytest.raises(UserError, match=r"statistics-1\.npz"):
        tfcil.IncrementalClassifier.open(folder)


@pytest.mark.parametrize("name", FIXED)
def test_a_keras_model_that_remembers_goes_on_as_one_that_learned(name, tmp_path):
    """The head of `from_keras` is drawn, so all it knows comes from `remember`."""
    one = from_keras(name, seed=1993, folder=tmp_path / "state")
    one.remember(*characters(0, 4))
    assert_same(
        head_of(one.model), head_of(classifier(name).learn(*characters(0, 4)).model), rtol=1e-5
    )
    assert one.tasks == [4]
    again = tfcil.IncrementalClassifier.open(tmp_path / "state").learn(*characters(4, 6))
    assert_same(
        head_of(again.model),
        head_of(classifier(name).learn(*characters(0, 4)).learn(*characters(4, 6)).model),
        rtol=1e-3,
        atol=1e-5,
    )


def test_exemplars_are_kept_beside_statistics_where_there_is_a_budget():
    one = classifier("lda", budget=12).learn(*characters(0, 4)).learn(*characters(4, 6))
    assert one.memory.counts(6).tolist() == [2] * 6
    without = classifier("lda").learn(*characters(0, 4)).learn(*characters(4, 6))
    assert_same(head_of(one.model), head_of(without.model), rtol=0)


def test_a_network_by_name_may_have_weights_and_a_side():
    one = tfcil.IncrementalClassifier(
        0, backbone="efficientnet_lite0", weights="imagenet", side=128, method={"name": "lda"}
    )
    assert one.settings.model == Model(backbone="efficientnet_lite0", weights="imagenet", side=128)
    with pytest.raises(UserError, match=r"weights: expected null or imagenet .*=preset$"):
        tfcil.IncrementalClassifier(0, backbone="efficientnet_lite0", weights="preset")


def test_side_is_the_size_that_the_network_sees():
    one = tfcil.IncrementalClassifier(0, side=14, method={"name": "ncm"})
    one.learn(*characters(0, 3))
    assert one.model.input.shape == (None, 28, 28, 1)
    assert one.model.get_layer("block1_conv").output.shape[1:3] == (14, 14)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: from_keras("lda").learn(*characters(4, 6)),
            r"^method\.name=lda .*call remember\(images, labels\).*none of 0, 1, 2, 3$",
        ),
        (
            lambda: from_keras("lda").remember(*characters(0, 3)),
            "all known classes in one call.*none of 3$",
        ),
        (
            lambda: from_keras("lda").remember(*characters(0, 4)).remember(*characters(0, 4)),
            "without statistics.*images of 0, 1, 2, 3$",
        ),
        (
            lambda: classifier("lda").learn(*characters(0, 3)).learn(*characters(0, 3)),
            "new classes only",
        ),
        (
            lambda: classifier("ncm").learn(*characters(0, 3)).learn(*characters(3, 5), method=LDA),
            r"^method\.name=lda .*for every task.*after method\.name=ncm$",
        ),
        (
            lambda: (
                tiny_learning.classifier().learn(*characters(0, 3)).learn(*characters(3, 5), **TO)
            ),
            r"^method\.name=lda .*for every task.*after method\.name=baseline$",
        ),
        (
            lambda: tfcil.learn(*characters(0, 3), method=LDA),
            r"^learn: method\.name=lda .*tfcil\.IncrementalClassifier",
        ),
        (
            lambda: classifier("lda", side=32),
            "no weights, side, adapter.*weights=None, side=32, adapter=None$",
        ),
        (
            lambda: from_keras("lda", weights="imagenet"),
            "no weights: the model brings it",
        ),
        (
            lambda: classifier("lda").learn(*characters(0, 3)).learn(*characters(3, 5), side=32),
            "no change of the network. Received: side$",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, told):
    with pytest.raises(UserError, match=told) as refusal:
        call()
    assert "\n" not in str(refusal.value)


LDA = {"name": "lda", "loss": "ce"}
TO = {"method": LDA, "budget": 0}


def test_a_method_that_trains_may_follow_and_its_state_has_no_statistics(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "other")
    one = tfcil.IncrementalClassifier.open(tmp_path / "other")
    one.learn(*characters(4, 6), method={"name": "lwf", "loss": "bsce"})
    assert one.statistics == {}
    assert not list((tmp_path / "other").glob("statistics-*"))
    facts = json.loads((tmp_path / "other" / "state.json").read_text())
    assert facts["has_statistics"] is False
