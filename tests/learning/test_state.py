"""The folder of a classifier: the state before or the state after, and never anything else."""

import json

import numpy as np
import pytest
import tiny_learning

import tfcil
from tfcil.classifier import adopted_backbone, grown
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.learning import state

FACTS = {"classes": ["a", "b", "c"], "tasks": [3], "settings": {"budget": 3}}


def memory(label):
    images = np.full((1, 28, 28, 1), label / 3, "float32")
    return ExemplarMemory(images, np.array([label], "int32"), np.array([0], "int32"))


@pytest.fixture(scope="module")
def model():
    return grown(adopted_backbone(tiny_learning.backbone()), 3, np.random.default_rng(0))


@pytest.fixture
def folder(model, tmp_path):
    state.write_state(tmp_path / "state", 1, model, memory(1), {}, **FACTS)
    return tmp_path / "state"


def test_a_state_is_read_as_it_was_written(model, folder):
    again, kept, _, facts = state.read_state(folder)
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(kept.images, memory(1).images, strict=True)
    assert {name: facts[name] for name in FACTS} == FACTS


@pytest.mark.parametrize("killed_in", ["save_classifier", "write_json", "nowhere"])
def test_a_kill_leaves_the_state_of_before(model, folder, killed_in, monkeypatch):
    """Whatever is written first, the next start finds a whole state and goes on from it."""

    class KilledError(BaseException):
        pass

    def kill(*arguments):
        raise KilledError

    if killed_in != "nowhere":
        monkeypatch.setattr(state, killed_in, kill)
        with pytest.raises(KilledError):
            state.write_state(folder, 2, model, memory(2), {}, **FACTS)
        monkeypatch.undo()
        (folder / ".model-2.partial.keras").write_bytes(b"half of it")
        assert state.read_state(folder)[1].labels.tolist() == [1]
    state.write_state(folder, 2, model, memory(2), {}, **FACTS)
    assert state.read_state(folder)[1].labels.tolist() == [2]
    files = {file.name for file in folder.iterdir()}
    assert files == {"state.json", "model-2.keras", "memory-2.npz"}


def test_a_kill_before_the_old_files_are_gone_does_no_harm(model, folder):
    old = (folder / "model-1.keras").read_bytes()
    state.write_state(folder, 2, model, memory(2), {}, **FACTS)
    (folder / "model-1.keras").write_bytes(old)
    assert state.read_state(folder)[1].labels.tolist() == [2]


def damaged(folder, damage):
    if damage == "missing":
        (folder / "state.json").unlink()
    elif damage == "half a model":
        file = folder / "model-1.keras"
        file.write_bytes(file.read_bytes()[:3000])
    elif damage == "no memory":
        (folder / "memory-1.npz").unlink()
    elif damage == "half a JSON":
        (folder / "state.json").write_text('{"format": 2, ')
    elif damage == "foreign JSON":
        (folder / "state.json").write_text("[1, 2]")
    else:
        facts = json.loads((folder / "state.json").read_text())
        facts |= {
            "newer": {"format": 3},
            "a class less": {"classes": ["a", "b"]},
            "other settings": {"settings": {"budget": 3, "second_stage": {}}},
            "other options": {"settings": {"budget": 3, "options": {"bsce": {"tua": 1}}}},
        }[damage]
        (folder / "state.json").write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        ("missing", "Expected the folder of an IncrementalClassifier"),
        ("half a model", "model-1.keras"),
        ("no memory", "memory-1.npz"),
        ("half a JSON", "readable JSON"),
        ("foreign JSON", "format=None"),
        ("newer", "format=3"),
        ("a class less", "3 logits, 2 classes"),
        ("other settings", "state: second_stage: no such key"),
        ("other options", r"state: options\.bsce\.tua: no such key"),
    ],
)
def test_a_damaged_or_foreign_folder_is_told_in_one_line(folder, damage, told):
    damaged(folder, damage)
    with pytest.raises(UserError, match=told) as refusal:
        tfcil.IncrementalClassifier.open(folder)
    assert "\n" not in str(refusal.value)


def test_a_new_classifier_does_not_write_over_another(folder):
    with pytest.raises(UserError, match=r"IncrementalClassifier\.open goes on"):
        tfcil.IncrementalClassifier(3, folder=folder)
