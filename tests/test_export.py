"""tfcil export: other forms of a classifier predict what was evaluated."""

import keras
import numpy as np
import pytest

from tfcil.classifier import grown, open_classifier, save_classifier, untrained
from tfcil.cli import main
from tfcil.evaluation import predict
from tfcil.exemplars import ExemplarMemory


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A classifier of three classes, and a memory of four images each."""
    folder = tmp_path_factory.mktemp("export")
    model = grown(
        untrained("simple_cnn", (12, 12, 3), [100.0] * 3, [50.0] * 3, seed=1),
        3,
        np.random.default_rng(0),
    )
    images = np.random.default_rng(1).integers(0, 256, (12, 12, 12, 3), dtype="uint8")
    labels, features = np.arange(12) % 3, np.random.default_rng(2).normal(size=(12, 5))
    memory = ExemplarMemory.empty((12, 12, 3)).update(images, labels, features, 3, budget=12)
    save_classifier(model, folder / "model.keras")
    memory.save(folder / "memory.npz")
    ExemplarMemory.empty((12, 12, 3)).save(folder / "empty.npz")
    return folder


def export(files, memory):
    arguments = ["--rule", "nme", "--memory", str(files / memory)]
    main(["export", str(files / "model.keras"), *arguments, "--output", str(files / "nme.keras")])


def test_saved_nearest_mean_model_predicts_what_is_evaluated(files):
    export(files, "memory.npz")
    images = np.random.default_rng(3).integers(0, 256, (40, 12, 12, 3), dtype="uint8")
    memory = ExemplarMemory.load(files / "memory.npz")
    evaluated = predict(open_classifier(files / "model.keras"), images, memory)["nme"]
    scores = keras.models.load_model(files / "nme.keras").predict(images, verbose=0)
    np.testing.assert_array_equal(scores.argmax(axis=1), evaluated)
    assert len(set(evaluated)) > 1
    assert np.abs(scores).max() <= 1 + 1e-6  # cosines


def test_a_class_without_exemplars_is_told_in_one_line(files, capsys):
    with pytest.raises(SystemExit):
        export(files, "empty.npz")
    told = capsys.readouterr().err
    assert told.startswith("error: Expected exemplars of each of the 3 classes.")
    assert told.count("\n") == 1
