"""tfcil export as a person runs it: nothing else is overwritten, mistakes are told in one line."""

import functools
import importlib.util
import json
import zipfile

import keras
import numpy as np
import pytest

from tfcil.classifier import expose, forward, grown, open_classifier, save_classifier, untrained
from tfcil.cli import main
from tfcil.evaluation.evidence import Evidence
from tfcil.evaluation.registry import all_rules, primary
from tfcil.exemplars import ExemplarMemory
from tfcil.export import FORMATS, RULES, writing


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A classifier of three classes, and a memory of four images each."""
    folder = tmp_path_factory.mktemp("export")
    start = untrained("simple_cnn", (12, 12, 3), [100.0] * 3, [50.0] * 3, seed=1)
    images = np.random.default_rng(1).integers(0, 256, (12, 12, 12, 3), dtype="uint8")
    labels, features = np.arange(12) % 3, np.random.default_rng(2).normal(size=(12, 5))
    memory = ExemplarMemory.empty((12, 12, 3)).update(images, labels, features, 3, budget=12)
    save_classifier(start, folder / "start.keras")
    save_classifier(grown(start, 3, np.random.default_rng(0)), folder / "model.keras")
    memory.save(folder / "memory.npz")
    ExemplarMemory.empty((12, 12, 3)).save(folder / "empty.npz")
    return folder


def export(files, output, *options):
    main(["export", str(files / "model.keras"), "--output", str(output), *options])


def told(capfd, files, output, *options):
    """The one line in which a mistake is told."""
    with pytest.raises(SystemExit) as ended:
        export(files, output, *options)
    assert ended.value.code == 1
    printed, errors = capfd.readouterr()
    errors = [line for line in errors.splitlines() if not line.startswith("note: ")]
    assert printed == ""
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    return errors[0]


def exported_and_evaluated(files, output, rule, *options):
    """The probabilities of an export, and what the rule predicts in an evaluation."""
    export(files, output, "--rule", rule, *options)
    images = np.random.default_rng(3).integers(0, 256, (40, 12, 12, 3), dtype="uint8")
    model = expose(open_classifier(files / "model.keras"), "logits", "features")
    memory = ExemplarMemory.load(files / "memory.npz")
    evidence = Evidence(functools.partial(forward, model), images, np.zeros(40, int), memory)
    probabilities = keras.models.load_model(output).predict(images, verbose=0)
    return probabilities, all_rules()[rule].predict(evidence)


def test_nearest_mean_export_predicts_what_is_evaluated(files, tmp_path):
    options = ["--memory", str(files / "memory.npz")]
    found = exported_and_evaluated(files, tmp_path / "nme.keras", "nme", *options)
    probabilities, evaluated = found
    np.testing.assert_array_equal(probabilities.argmax(axis=1), evaluated)
    assert len(set(evaluated)) > 1
    cosines = np.log(probabilities)
    assert np.ptp(cosines, axis=1).max() <= 2 + 1e-6


def test_primary_rule_is_what_is_exported_without_a_choice(files, tmp_path):
    probabilities, evaluated = exported_and_evaluated(files, tmp_path / "a.keras", primary())
    np.testing.assert_array_equal(probabilities.argmax(axis=1), evaluated)
    export(files, tmp_path / "b.keras")
    images = np.random.default_rng(3).integers(0, 256, (40, 12, 12, 3), dtype="uint8")
    unnamed = keras.models.load_model(tmp_path / "b.keras").predict(images, verbose=0)
    np.testing.assert_array_equal(unnamed, probabilities)


def test_rules_that_can_be_exported_are_rules_of_the_evaluation():
    assert primary() in RULES
    assert set(RULES) <= set(all_rules())


def test_a_class_without_exemplars_is_told(files, tmp_path, capfd):
    options = ["--rule", "nme", "--memory", str(files / "empty.npz")]
    line = told(capfd, files, tmp_path / "nme.keras", *options)
    assert line.startswith("error: Expected exemplars of each of the 3 classes.")


def test_rule_and_memory_belong_together(files, tmp_path, capfd):
    assert "--memory" in told(capfd, files, tmp_path / "a.keras", "--rule", "nme")
    options = ["--memory", str(files / "memory.npz")]
    assert told(capfd, files, tmp_path / "a.keras", *options).endswith("memory.npz")


def test_classes_without_names_are_numbers_and_that_is_told(files, tmp_path, capfd):
    export(files, tmp_path / "plain.keras")
    printed, errors = capfd.readouterr()
    assert printed == f"{tmp_path / 'plain.keras'}: keras, 3 classes\n"
    assert errors.splitlines() == [
        f"note: {files / 'model.json'} is missing, classes are told by their numbers"
    ]
    names = zipfile.ZipFile(tmp_path / "plain.keras").read("names.json")
    assert json.loads(names) == ["0", "1", "2"]


def test_an_earlier_export_is_replaced(files, tmp_path):
    for kind, name in (("keras", "plain.keras"), ("savedmodel", "saved")):
        for _ in range(2):
            export(files, tmp_path / name, "--format", kind)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.keras", "saved"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("keras", "model.keras"),
        ("savedmodel", "photos"),
        ("savedmodel", "notes"),
        ("tflite", "t.tflite"),
    ],
)
def test_something_else_is_never_overwritten(files, tmp_path, capfd, kind, name):
    """A classifier of the pipeline, a folder of anything, a file."""
    (tmp_path / "model.keras").write_bytes((files / "model.keras").read_bytes())
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_text("photo")
    for file in ("notes", "t.tflite"):
        (tmp_path / file).write_text("notes of mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    line = told(capfd, files, tmp_path / name, "--format", kind)
    assert line.endswith(f"Received: output={tmp_path / name}")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("kind", "name"), [("keras", "a.onnx"), ("onnx", "a"), ("savedmodel", "a.tflite")]
)
def test_output_of_another_kind_is_told(files, tmp_path, capfd, kind, name):
    assert f"format {kind} is a" in told(capfd, files, tmp_path / name, "--format", kind)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    files, tmp_path, capfd, monkeypatch
):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    line = told(capfd, files, tmp_path / "a.onnx", "--format", "onnx")
    assert 'pip install "tfcil[onnx]"' in line


def test_a_converter_that_fails_is_told_and_leaves_nothing(files, tmp_path, capfd, monkeypatch):
    def fail(classifier, path):
        path.write_text("half")
        raise RuntimeError("op Whirl\nis unknown")

    monkeypatch.setitem(writing.WRITERS, "tflite", fail)
    line = told(capfd, files, tmp_path / "a.tflite", "--format", "tflite")
    assert "(RuntimeError: op Whirl is unknown)" in line
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_knows_no_class_is_told(files, tmp_path, capfd):
    with pytest.raises(SystemExit):
        main(["export", str(files / "start.keras"), "--output", str(tmp_path / "a.keras")])
    assert capfd.readouterr().err.startswith("error: Expected a classifier that tfcil trained")


def test_every_format_of_the_command_has_a_writer():
    assert tuple(writing.WRITERS) == tuple(writing.SUFFIXES) == FORMATS
