"""tfcil export --calibrate: probabilities of held-out images come true, and answers stay."""

import json
import re

import keras
import numpy as np
import pytest

from tfcil.classifier import grown, plain, untrained
from tfcil.cli import main
from tfcil.components.facts import Head
from tfcil.data.store import read_images
from tfcil.errors import UserError
from tfcil.release.temperature import calibration, divided, fit_temperature


def drawn(temperature, count=20000, classes=5):
    """Logits whose labels are drawn from the softmax of the logits divided by a temperature."""
    generator = np.random.default_rng(0)
    logits = 3 * generator.normal(size=(count, classes))
    # Gumbel noise: the largest sum is drawn with the probabilities of the softmax.
    noise = generator.gumbel(size=logits.shape)
    return logits, np.argmax(logits / temperature + noise, axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_temperature_of_which_labels_are_drawn_is_found(temperature):
    assert fit_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.03)


def test_temperature_by_hand():
    """Two classes 1 apart, three of four images right: sigmoid(1 / T) = 3/4, so T = 1 / ln 3."""
    logits = np.tile([1.0, 0.0], (4, 1))
    assert fit_temperature(logits, np.array([0, 0, 0, 1])) == pytest.approx(1 / np.log(3), rel=1e-4)


def test_error_falls_where_probabilities_were_wrong():
    found = calibration(*drawn(2.5))
    assert found.after < 0.02 < 0.1 < found.before


def test_error_after_is_of_temperatures_that_other_images_gave():
    """Every other image follows T = 3, the others T = 1: each half gets the T of the other."""
    logits, labels = drawn(1.0)
    other_logits, other_labels = drawn(3.0)
    mixed = np.stack([logits, other_logits], axis=1).reshape(-1, 5)
    found = calibration(mixed, np.stack([labels, other_labels], axis=1).ravel())
    one, other = calibration(logits, labels), calibration(other_logits, other_labels)
    assert found.after > max(one.after, other.after) + 0.05


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1]])
def test_images_that_give_no_temperature_are_told(labels):
    """All right: T would be 0. All wrong: no T is large enough."""
    with pytest.raises(UserError, match=r"--calibrate: .* of 3 wrong"):
        fit_temperature(np.tile([1.0, 0.0], (3, 1)), np.array(labels))


def test_a_model_that_diverged_is_told():
    with pytest.raises(UserError, match="finite logits"):
        fit_temperature(np.array([[np.nan, 0.0]]), np.array([0]))


@pytest.mark.parametrize("kind", ["linear", "cosine", "local_similarity"])
def test_logits_of_every_head_are_divided(kind):
    start = untrained("simple_cnn", (12, 12, 3), [100.0] * 3, [50.0] * 3, seed=1)
    head = Head(kind=kind, proxies=2 if kind == "local_similarity" else 1)
    model = plain(grown(start, 3, np.random.default_rng(0), head))
    images = np.random.default_rng(1).integers(0, 256, (4, 12, 12, 3), dtype="uint8")
    before = keras.ops.convert_to_numpy(model(images))
    after = keras.ops.convert_to_numpy(divided(model, 2.5)(images))
    np.testing.assert_allclose(after, before / 2.5, rtol=1e-5, atol=1e-7)


def exported(folder, *options):
    """Probabilities of an export for the first task's held-out images."""
    path = folder / "classifier.keras"
    main(["export", str(folder / "models" / "01.keras"), "--output", str(path), *options])
    images, _ = read_images(folder / "data" / "test" / "00")
    return keras.models.load_model(path).predict(np.asarray(images), verbose=0)


@pytest.mark.parametrize("rule", ["cnn", "nme"])
def test_calibrated_export_keeps_every_answer_and_divides_the_logits(experiment, capsys, rule):
    memory = ["--memory", str(experiment / "memory" / "01.npz")] if rule == "nme" else []
    options = ["--rule", rule, *memory]
    plain_export = exported(experiment, *options)
    capsys.readouterr()
    divided_export = exported(experiment, *options, "--calibrate")
    printed = capsys.readouterr().out
    np.testing.assert_array_equal(plain_export.argmax(axis=1), divided_export.argmax(axis=1))
    temperature = float(re.match(r"temperature ([\d.]+): ", printed)[1])
    odds, expected = np.log(divided_export), np.log(plain_export) / temperature
    differences = (odds - odds[:, :1]) - (expected - expected[:, :1])
    assert np.abs(differences).max() < 0.02 * max(1, np.abs(expected - expected[:, :1]).max())
    assert temperature != pytest.approx(1, abs=1e-3)


def test_error_before_is_that_of_the_evaluation(experiment, capsys):
    exported(experiment, "--calibrate")
    before = re.search(r"calibration error ([\d.]+) -> ", capsys.readouterr().out)[1]
    evaluation = json.loads((experiment / "evaluation" / "01.json").read_text())
    assert float(before) == pytest.approx(
        100 * evaluation["measures"]["calibration_error"], abs=0.06
    )


def test_test_images_are_refused(experiment, capsys, tmp_path):
    """An experiment without `validation` has no images that neither training nor test uses."""
    (tmp_path / "models").symlink_to(experiment / "models")
    (tmp_path / "data" / "seen").mkdir(parents=True)
    manifest = json.loads((experiment / "data" / "seen" / "01.json").read_text())
    text = json.dumps(manifest | {"split": "test"})
    (tmp_path / "data" / "seen" / "01.json").write_text(text)
    with pytest.raises(SystemExit):
        exported(tmp_path, "--calibrate")
    error = capsys.readouterr().err
    assert error.startswith("error: --calibrate: expected images held out of training")
    assert not (tmp_path / "classifier.keras").exists()


def test_images_prepared_after_the_training_are_refused(experiment, capsys, tmp_path):
    """Held out now, they may have been trained on."""
    for name in ("models", "data"):
        (tmp_path / name).symlink_to(experiment / name)
    (tmp_path / "logs").mkdir()
    for task, images in (("00", None), ("01", "of other images")):
        log = json.loads((experiment / "logs" / f"{task}.json").read_text())
        text = json.dumps(log | ({"trained_on": images} if images else {}))
        (tmp_path / "logs" / f"{task}.json").write_text(text)
    with pytest.raises(SystemExit):
        exported(tmp_path, "--calibrate")
    error = capsys.readouterr().err
    assert error.startswith("error: --calibrate: expected a model that was trained on the images")
    assert error.endswith("Received: others in task 01\n")
