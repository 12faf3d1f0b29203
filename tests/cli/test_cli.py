"""The command `tfcil`: mistakes are told in one line before any work, and nothing is lost."""

import os
import sys
from pathlib import Path

import pytest
import yaml
from tiny_params import changed

from tfcil.cli import main, main_of_stage
from tfcil.config.params import load_params
from tfcil.config.presets import find_preset, presets
from tfcil.errors import UserError
from tfcil.files import write_json

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with the default params.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    return tmp_path


def change(path, value):
    params = changed(DEFAULT, {path: value})
    Path("params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def error_of(capfd, run, *arguments):
    """The one line in which a mistake is told."""
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    printed, errors = capfd.readouterr()
    assert ended.value.code == 1
    assert printed == ""
    (line,) = errors.splitlines()
    assert line.startswith("error: ")
    return line


BAD = {
    ("memory", -5): "Received: memory=-5",
    ("memory", "abc"): "Received: memory='abc'",
    ("method.loss", "focal"): "or module:PATH. Received: method.loss=focal",
    ("method.loss", "meta-bsce"): "(did you mean meta_bsce?). Received: method.loss=meta-bsce",
    ("options.bsce.tua", 1.0): "(did you mean tau?). Received: options.bsce.tua=1.0",
    ("increment.warmup", 2): "a fraction, of 0 or more and less than 1. Received: warmup=2",
    ("method.los", "ce"): "no such key (did you mean loss?). Received: method.los='ce'",
    ("memmory", 5): "no such key (did you mean memory?). Received: memmory=5",
    ("tasks.02.after", "07"): "Received: tasks.02.after='07'",
    ("tasks.02.classes", 90): "the data set has 100. Received: tasks of 170 classes",
    ("tasks.02.classes", ("panda",)): "Received: class name='panda'",
    ("model.backbone", "resnet23"): "(did you mean resnet32?). Received: backbone=resnet23",
    ("scenario.order", "lucir_1994"): "(did you mean lucir_1993?). Received: order='lucir_1994'",
}


@pytest.mark.parametrize(("setting", "told"), BAD.items(), ids=[f"{k}={v}" for k, v in BAD])
def test_bad_value_is_told_in_one_line_before_any_work(here, capfd, monkeypatch, setting, told):
    """By the whole chain in one process, and by a stage that DVC starts."""
    key, value = setting
    change(key, list(value) if isinstance(value, tuple) else value)
    monkeypatch.setattr(sys, "argv", ["pipelines/prepare.py"])
    line = error_of(capfd, main, ["run"])
    assert line.endswith(told)
    assert error_of(capfd, main_of_stage, "prepare") == line
    assert os.listdir(here) == ["params.yaml"]


def test_stage_of_a_task_that_does_not_exist_is_told(here, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pipelines/train.py", "17"])
    assert error_of(capfd, main_of_stage, "train").endswith("Received: task=17")


def test_debug_shows_where_an_error_comes_from(here):
    change("memory", -5)
    with pytest.raises(UserError):
        main(["--debug", "run"])


@pytest.mark.parametrize("command", [["run"], ["summary"], ["tasks", "--base=5", "--increment=5"]])
def test_a_folder_without_params_is_told(tmp_path, monkeypatch, capfd, command):
    monkeypatch.chdir(tmp_path)
    assert "params.yaml" in error_of(capfd, main, command)
    assert os.listdir(tmp_path) == []


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    for command in (
        *("run", "summary", "compare", "grid", "tasks", "preset", "params", "init", "sample"),
        *("status", "stage", "predict", "export"),
    ):
        assert f"\n    {command} " in printed


def test_presets_are_listed_with_what_they_are(capsys):
    main(["preset"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(presets())
    assert all(len(line.split()) > 3 for line in lines)


def test_preset_is_put_in_place_but_not_over_changes(here, capfd):
    main(["preset", "omniglot100"])
    change("memory", 7)
    mine = Path("params.yaml").read_bytes()
    capfd.readouterr()
    assert "--force" in error_of(capfd, main, ["preset", "omniglot100"])
    assert Path("params.yaml").read_bytes() == mine
    main(["preset", "omniglot100", "--force"])
    assert Path("params.yaml").read_bytes() == find_preset("omniglot100").read_bytes()


def test_preset_is_put_into_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in presets():
        main(["preset", name, "--force"])
        load_params("params.yaml")
    assert os.listdir(tmp_path) == ["params.yaml"]


def test_unknown_preset_is_told_with_the_nearest(here, capfd):
    line = error_of(capfd, main, ["preset", "omniglot10"])
    assert "(did you mean omniglot100?)" in line
    assert line.endswith("Received: preset=omniglot10")


def test_tasks_are_rewritten_for_a_protocol_and_comments_stay(here, capsys):
    main(["tasks", "--base", "50", "--increment", "10"])
    assert "6 tasks, 100 classes" in capsys.readouterr().out
    tasks = load_params("params.yaml").tasks
    assert [task.classes for task in tasks.values()] == [50, 10, 10, 10, 10, 10]
    assert [task.after for task in tasks.values()] == ["start", "00", "01", "02", "03", "04"]
    assert [task.recipe for task in tasks.values()] == ["base"] + ["increment"] * 5
    before, after = ((path / "params.yaml").read_text().splitlines() for path in (ROOT, here))
    assert [line for line in before if "classes:" not in line and "tasks:" not in line] == [
        line for line in after if "classes:" not in line and "tasks:" not in line
    ]


@pytest.mark.parametrize(("base", "increment"), [(0, 10), (101, 10), (50, 0)])
def test_impossible_protocol_is_told_and_changes_nothing(here, capfd, base, increment):
    line = error_of(capfd, main, ["tasks", f"--base={base}", f"--increment={increment}"])
    assert line.endswith((f"Received: base={base}", f"Received: increment={increment}"))
    assert Path("params.yaml").read_bytes() == (ROOT / "params.yaml").read_bytes()


def test_summary_without_results_is_told_in_one_line(here, capfd):
    assert "evaluation/00.json" in error_of(capfd, main, ["summary"])


def test_summary_prints_the_figures_of_the_tasks_of_params(here, capsys):
    """Two tasks of one class with 4 test images each; the file of a third one is stale."""
    main(["tasks", "--base=1", "--increment=1", "--total=2"])
    confusions = [[[4]], [[2, 2], [1, 3]], [[1]]]
    corrects = [{"cnn": [4], "nme": [2]}, {"cnn": [2, 3], "nme": [1, 4]}, {"cnn": [9], "nme": [9]}]
    for key, correct, confusion in zip(("00", "01", "02"), corrects, confusions, strict=True):
        tasks = ["00", "01"][: len(correct["cnn"])]
        contents = {"task": key, "tasks": tasks, "images": [4] * len(tasks), "class_sizes": [9, 9]}
        write_json(
            here / "evaluation" / f"{key}.json",
            contents | {"correct": correct, "confusion": confusion},
        )
    capsys.readouterr()
    main(["summary"])
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines()]
    figures = [[word for word in row if word[0] in "0123456789-"] for row in rows]
    assert ["00", "1", "1.000", "0.500", "-", "1.000"] in figures
    assert ["01", "2", "0.625", "0.625", "0.500", "0.750"] in figures
    # (1 + 5/8) / 2, 5/8, 1 - 2/4
    assert "CNN: average incremental accuracy 0.812, last accuracy 0.625, forgetting 0.5" in printed
    assert "models/01.keras" in printed
    assert "02" not in printed


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["trian"], "prepare, recipes, start, train, select, evaluate, report. Received: stage"),
        (["train"], "Stage train: expected a task. Received: task=None"),
        (["prepare", "00"], "Stage prepare: expected no task. Received: task=00"),
        (["train", "17"], "Expected a task of params.yaml. Received: task=17"),
    ],
)
def test_stage_that_can_not_be_is_told_in_one_line(here, capfd, arguments, told):
    assert told in error_of(capfd, main, ["stage", *arguments])
    assert os.listdir(here) == ["params.yaml"]
