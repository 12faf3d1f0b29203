"""IncrementalClassifier: as tfcil.learn, with names, a state in a folder, and clear refusals."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tiny_learning
from characters import characters
from tiny_learning import RECIPE, arrays_of

import tfcil
from tfcil.components.recipe import Recipe
from tfcil.config.params import Model, Params
from tfcil.errors import UserError
from tfcil.learning.settings import Settings
from tfcil.training import make_deterministic

ROOT = Path(__file__).parents[2]
META = {"loss": "meta_bsce"}
EEIL = {"name": "eeil", "loss": "ce"}
NO_MOMENTUM = {"balanced_finetuning": {"nesterov": True, "momentum": 0.0}}


@pytest.fixture(scope="module")
def one_task(tmp_path_factory):
    """The folder of a classifier after its first task; tests copy what they change."""
    folder = tmp_path_factory.mktemp("one_task") / "state"
    tiny_learning.classifier(folder).learn(*characters(0, 4))
    return folder


@pytest.fixture
def learned(one_task):
    """The classifier after its first task, without a folder."""
    classifier = tfcil.IncrementalClassifier.open(one_task)
    classifier.folder = None
    return classifier


def test_the_class_gives_what_the_function_gives(learned):
    from tfcil.classifier import adopted_backbone

    changes = {"method": {"loss": "ce"}, "options": {"baseline": {"temperature": 3.0}}}
    settings = {"budget": 12, "recipe": RECIPE, "seed": 5}
    untrained = adopted_backbone(tiny_learning.backbone())
    model, memory = tfcil.learn(*characters(0, 4), untrained, **settings)
    for one, other in zip(arrays_of(learned.model), arrays_of(model), strict=True):
        np.testing.assert_array_equal(one, other)
    model, memory = tfcil.learn(*characters(4, 7), model, memory, **settings, **changes)
    learned.learn(*characters(4, 7), **changes)
    for one, other in zip(arrays_of(learned.model), arrays_of(model), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(learned.memory.images, memory.images)
    assert learned.tasks == [4, 3]
    assert learned.memory.counts(7).tolist() == [1] * 7


def test_going_on_in_another_process_gives_the_same_bytes(tmp_path):
    """The network has a Dropout, whose seed Keras draws from the state of the process."""
    make_deterministic()  # as the other process does: it changes the last bits of gradients
    here, there = tmp_path / "here", tmp_path / "there"
    classifier = tiny_learning.classifier(here).learn(*characters(0, 4))
    shutil.copytree(here, there)
    classifier.learn(*characters(4, 7))
    script = Path(tiny_learning.__file__)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    subprocess.run([sys.executable, script, there], check=True, env=environment)
    names = {file.name for file in here.iterdir()}
    assert names == {"state.json", "model-2.keras", "memory-2.npz"}
    assert names == {file.name for file in there.iterdir()}
    for name in names:
        assert (here / name).read_bytes() == (there / name).read_bytes(), name


def test_names_are_numbered_in_sorted_order_whatever_the_order_of_the_images():
    images, labels = characters(0, 3)
    names = np.array(["panda", "koala", "bear"])[labels]
    classifier = tiny_learning.classifier().learn(images[::-1], names[::-1].tolist())
    assert classifier.classes == ["bear", "koala", "panda"]
    predicted = classifier.predict(images)
    logits = classifier.model.predict(images, verbose=0)
    assert predicted.tolist() == [classifier.classes[one] for one in logits.argmax(axis=1)]


def test_integers_are_names_too_and_come_back():
    images, labels = characters(0, 2)
    classifier = tiny_learning.classifier().learn(images, labels * 10 + 7)
    assert classifier.classes == [7, 17]
    assert set(classifier.predict(images)) <= {7, 17}


def test_what_is_given_to_a_task_holds_from_it_on(learned, tmp_path):
    learned.folder = tmp_path / "state"
    method, options = {"name": "wa", "loss": "ce"}, {"wa": {"temperature": 3.0}}
    changes = {"budget": 6, "recipe": RECIPE | {"epochs": 1}, "method": method, "options": options}
    learned.learn(*characters(4, 6), **changes)
    assert len(learned.memory) == 6
    again = tfcil.IncrementalClassifier.open(tmp_path / "state")
    assert again.settings == learned.settings
    assert (again.settings.budget, again.settings.recipe.epochs) == (6, 1)
    assert again.settings.method.model_dump() == method | {"correction": "default"}
    assert again.settings.options == options
    assert again.settings.choice().method.options.temperature == 3.0


def test_state_keeps_the_settings_in_the_sections_of_params_yaml(one_task):
    settings = json.loads((one_task / "state.json").read_text())["settings"]
    assert Settings.of(settings, "") == tfcil.IncrementalClassifier.open(one_task).settings
    sections = {name: Params.model_fields[name].annotation for name in ("method", "exemplars")}
    for name, section in (*sections.items(), ("recipe", Recipe)):
        assert section.of(settings.pop(name), "").model_dump(), name
    assert settings == {"budget": 12, "options": {}, "model": None, "strategy": "none", "seed": 5}


def test_network_by_name_is_the_section_model():
    settings = tfcil.IncrementalClassifier(4, backbone="resnet20", precision="float32").settings
    assert settings.model == Model(backbone="resnet20")
    with pytest.raises(UserError, match=r"model\.backbone: .*\(did you mean resnet32\?\)"):
        tfcil.IncrementalClassifier(4, backbone="resnet21")


def test_options_reach_the_training_and_those_of_other_components_do_not(one_task):
    def taught(**changes):
        classifier = tfcil.IncrementalClassifier.open(one_task)
        classifier.folder = None
        return arrays_of(classifier.learn(*characters(4, 6), **changes).model)

    as_it_is = taught()
    others = {"icarl": {"distillation_weight": 0.0}, "balanced_finetuning": {"epochs": 9}}
    for one, other in zip(taught(options=others), as_it_is, strict=True):
        np.testing.assert_array_equal(one, other)
    stronger = taught(options={"baseline": {"distillation_weight": 50.0}})
    assert any(not np.array_equal(*both) for both in zip(stronger, as_it_is, strict=True))


def test_methods_that_distil_by_task_know_the_tasks(learned):
    learned.learn(*characters(4, 6), method={"name": "eeil", "loss": "bsce"})
    learned.learn(*characters(6, 8))
    assert learned.tasks == [4, 2, 2]
    assert learned.model.output.shape == (None, 8)


def test_a_network_by_name_takes_floats_as_they_are():
    """Images of 0 to 1 make the same network as those of 0 to 255: it normalises them."""
    images, labels = characters(0, 2)
    scaled = tfcil.IncrementalClassifier(4, recipe=RECIPE | {"epochs": 1})
    scaled.learn(images / 255.0, labels)
    raw = tfcil.IncrementalClassifier(4, recipe=RECIPE | {"epochs": 1}).learn(images, labels)
    assert scaled.memory.images.dtype == np.float32
    np.testing.assert_array_equal(
        scaled.memory.images, raw.memory.images / np.float32(255), strict=True
    )
    for one, other in zip(arrays_of(scaled.model), arrays_of(raw.model), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-2, atol=1e-3)


def test_strategy_and_precision_reach_the_training():
    images, labels = characters(0, 2)
    settings = {"recipe": RECIPE | {"epochs": 1}, "precision": "mixed_bfloat16"}
    model, _ = tfcil.learn(images, labels, strategy="mirrored", **settings)
    assert model.get_layer("block1_conv").compute_dtype == "bfloat16"
    assert model.get_layer("logits").compute_dtype == "float32"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda one: one.learn(*characters(3, 5)), r"new classes only.*Received: 3$"),
        (lambda one: one.learn(characters(4, 5)[0], ["a"] * 15), "int .*Received: str"),
        (lambda one: one.learn(*characters(4, 16)), r"each of the 16 classes.*budget=12"),
        (lambda one: one.learn(*characters(4, 6), recipe={"epoch": 3}), "did you mean epochs"),
        (lambda one: one.learn(*characters(4, 6), backbone="resnet18"), "no change of the network"),
        (
            lambda one: one.learn(*characters(4, 6), budget=0, method=META),
            r"learn: method\.loss=meta_bsce .* budget of 1 or more\. Received: budget=0$",
        ),
        (
            lambda one: one.learn(*characters(4, 6), options={"bsce": {"tua": 1}}),
            r"learn: options\.bsce\.tua: no such key \(did you mean tau\?\)\. Received: .*tua=1$",
        ),
        (
            lambda one: one.learn(*characters(4, 6), options={"lucir": {"margin": "x"}}),
            r"learn: options\.lucir\.margin: ",  # checked although it is not used
        ),
        (
            lambda one: one.learn(*characters(4, 6), method={"name": "wa"}, second_stage={}),
            "learn: second_stage: no such key",
        ),
        (
            lambda one: one.learn(*characters(4, 6), method=EEIL, options=NO_MOMENTUM),
            "learn: options.balanced_finetuning: nesterov is a form of the momentum",
        ),
        (lambda one: one.learn(*characters(4, 6), method={"name": "lwf"}), "expected budget=0"),
        (
            lambda one: one.learn(*characters(4, 6), method={"name": "lucir"}),
            "Expected a model with a cosine head .*Received: a linear head",
        ),
        (lambda one: one.learn(characters(4, 6)[0] / 255.0, [4] * 30), "uint8 as so far"),
        (lambda one: one.learn(characters(4, 6)[0][:, 1:], [4] * 30), r"\(n, 28, 28, 1\) as so"),
        (lambda one: one.remember(*characters(0, 2)), "never chosen anew.*Received: 0, 1$"),
        (lambda one: one.remember(*characters(9, 10)), r"knows: 0, 1, 2, 3\. Received: 9$"),
        (lambda one: tiny_learning.classifier().predict(characters(0, 1)[0]), "no class"),
        (lambda one: tiny_learning.classifier().learn(*characters(0, 1)), "two classes"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(learned, call, told):
    before = arrays_of(learned.model)
    with pytest.raises(UserError, match=told) as refusal:
        call(learned)
    assert "\n" not in str(refusal.value)
    assert (learned.classes, learned.settings.budget) == ([0, 1, 2, 3], 12)
    for weight, kept in zip(arrays_of(learned.model), before, strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_whole_floats_of_0_to_255_are_the_bytes_they_came_from(learned):
    images, _ = characters(0, 4)
    np.testing.assert_array_equal(
        learned.predict(images.astype("float64")), learned.predict(images)
    )


def test_networks_that_scale_images_themselves_refuse_scaled_ones():
    classifier = tfcil.IncrementalClassifier(4, backbone="MobileNetV2")
    images = np.zeros((2, 32, 32, 3), "float32")
    with pytest.raises(UserError, match="0 to 255: MobileNetV2 scales them itself"):
        classifier.learn(images, [0, 1])


def test_a_network_that_gives_no_features_is_refused():
    network = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Conv2D(2, 3)])
    with pytest.raises(UserError, match="pooling or Flatten"):
        tfcil.IncrementalClassifier(4, backbone=network)


def test_nothing_global_is_changed(learned):
    """Randomness of Python and NumPy is the person's own."""
    import random

    random.seed(1)
    np.random.seed(1)
    learned.learn(*characters(4, 6), recipe=RECIPE | {"epochs": 1})
    drawn = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    assert drawn == (random.random(), np.random.rand())
