"""tfcil card: its figures are those of the evaluation, and equal experiments have equal cards."""

import json
import re

import numpy as np
import pytest

from tfcil.cli import main
from tfcil.errors import UserError
from tfcil.release.card import model_card


@pytest.fixture(scope="module")
def card(experiment):
    return model_card(experiment / "models" / "01.keras")


def test_figures_are_those_of_metrics_json(experiment, card):
    metrics = json.loads((experiment / "metrics.json").read_text())
    assert f"| all | 12 | {held_out(experiment)} | {100 * metrics['last_accuracy']:.1f}% |" in card
    error = metrics["measures"]["calibration_error"]
    assert f"expected calibration error: {error:.3f}" in card


def held_out(experiment):
    evaluation = json.loads((experiment / "evaluation" / "01.json").read_text())
    assert evaluation["split"] == "validation"
    return sum(evaluation["images"])


def test_least_accurate_classes_come_first(card):
    section = re.search(r"## Least accurate classes\n\n(.*?)\n\n", card, re.S)[1]
    accuracies = [float(one) for one in re.findall(r"\| ([\d.]+)% \|", section)]
    assert len(accuracies) == 10
    assert accuracies == sorted(accuracies)


def test_every_class_and_the_settings_of_the_task_stand_on_it(experiment, card):
    names = json.loads((experiment / "models" / "01.json").read_text())["classes"]
    lines = re.findall(r"^\* (\d\d): (.*)$", card, re.M)
    assert [key for key, _ in lines] == ["00", "01"]
    assert ", ".join(line for _, line in lines).split(", ") == names
    assert "  epochs: 12\n" in card
    assert "* method and loss: " in card


def test_card_of_an_earlier_model_knows_nothing_later(experiment):
    card = model_card(experiment / "models" / "00.keras")
    assert "* classes: 8\n" in card
    assert "01" not in re.findall(r"^\| (\d\d) \|", card, re.M)


def test_only_the_option_brings_a_date(experiment, card):
    assert model_card(experiment / "models" / "01.keras") == card
    began = json.loads((experiment / "logs" / "01.json").read_text())["began"]
    assert began not in card
    dated = model_card(experiment / "models" / "01.keras", date=True)
    assert dated.replace(f"\n* training of the last task began: {began}", "") == card


def test_code_of_the_card_opens_the_model(experiment, card, monkeypatch):
    program = re.search(r"```python\n(.*?)```", card, re.S)[1]
    monkeypatch.chdir(experiment)
    images = np.load(experiment / "data" / "test" / "00" / "images.npy")
    names = {"images": images}
    exec(program, names)
    assert names["model"].output_shape == (None, len(names["names"])) == (None, 12)


def test_command_writes_the_file(experiment, card, monkeypatch, capsys):
    monkeypatch.chdir(experiment)
    main(["card", "models/01.keras"])
    assert (experiment / "model_card.md").read_text() == card
    assert capsys.readouterr().out == "model_card.md: the card of models/01.keras\n"


def test_a_model_of_no_task_is_told(experiment):
    with pytest.raises(UserError, match=r"a model of a task .* model=.*start\.keras"):
        model_card(experiment / "models" / "start.keras")
