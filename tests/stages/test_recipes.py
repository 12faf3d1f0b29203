"""Stage recipes: a file holds all that decides how its task is trained, and nothing else.

DVC trains a task again when its file changes, so another byte costs hours, and one that stays the
same where it must not gives results that are not those of params.yaml.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_params import changed, tiny_params

from tfcil.config.params import load_params
from tfcil.config.settings import TaskSettings
from tfcil.errors import UserError
from tfcil.files import read_json
from tfcil.stages.recipes import settings_of
from tfcil.stages.run import run_stage

ROOT = Path(__file__).parents[2]
PARAMS = tiny_params(3, 2, ["a", "b", "c"], memory=16, method={"name": "lucir", "loss": "ce"})


@pytest.fixture
def files(tmp_path):
    """Function from changes, `{"section.key": value}`, to the contents of recipes/ by task."""

    def files(changes):
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed(PARAMS, changes)))
        run_stage("recipes", root=tmp_path)
        return {file.stem: file.read_bytes() for file in (tmp_path / "recipes").iterdir()}

    return files


@pytest.mark.parametrize(
    "changes",
    [
        {"options.baseline.temperature": 3.0},
        {"options.podnet.proxies": 3},
        {"options.bsce.tau": 0.5, "options.meta_bsce.learning_rate": 0.5},
        {"options.balanced_finetuning.epochs": 3, "options.logit_adjustment.tau": 0.5},
        {"options.foster": {"compression": {"epochs": 7}}},
        {"options.lucir": {}, "options.ce": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_options_of_components_that_are_not_used_change_no_byte(files, changes):
    assert files(changes) == files({})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("options.foster.compression", {"epochs": 0}),
        ("options.baseline.temperatur", 3.0),
        ("options.meta_bsce.alpha", "x"),
        ("options.baselin", {}),
    ],
)
def test_options_of_components_that_are_not_used_are_checked(files, tmp_path, key, value):
    with pytest.raises(UserError, match=rf"params\.yaml: {key}"):
        files({key: value})
    assert not (tmp_path / "recipes").exists()


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({"seed": 7}, ["00", "01", "02"]),
        ({"strategy": "mirrored"}, ["00", "01", "02"]),
        ({"base.epochs": 2}, ["00"]),
        ({"increment.epochs": 2}, ["01", "02"]),
        ({"memory": 17}, []),  # `select` reads it, and `train` the exemplars
        ({"exemplars.selection": "random"}, []),
        ({"validation": 0.1}, []),
        ({"measures.recall": [1]}, ["asked.measures"]),
        ({"tasks.02.classes": 3}, []),  # their number, not their names
        ({"tasks.01.classes": 3}, ["02"]),
        ({"options.lucir.margin": 0.25}, ["01", "02"]),
        ({"method.name": "baseline"}, ["00", "01", "02"]),  # another head
        ({"method.loss": "bsce"}, ["01", "02"]),
        ({"method.loss": "bsce", "options.bsce.first_task": True}, ["00", "01", "02"]),
        ({"method.correction": "balanced_finetuning"}, ["01", "02"]),
        (
            {
                "method.correction": "balanced_finetuning",
                "options.balanced_finetuning.first_task": True,
            },
            ["00", "01", "02"],
        ),
    ],
    ids=str,
)
def test_a_setting_changes_the_files_of_the_tasks_that_it_decides(files, changes, changed):
    before, after = files({}), files(changes)
    assert set(before) == {"00", "01", "02", "asked.measures"}
    assert sorted(key for key in before if before[key] != after[key]) == changed


def test_methods_of_one_head_share_their_first_task(files):
    first = {files({"method.name": name})["00"] for name in ("baseline", "icarl", "wa", "eeil")}
    assert len(first) == 1


@pytest.mark.parametrize(
    ("implied", "written"),
    [
        ({}, {"options.lucir": {"margin": 0.5}, "base.schedule": "cosine"}),
        ({}, {"method.correction": "none"}),  # of lucir as published
        ({"method.name": "wa"}, {"method.name": "wa", "method.correction": "weight_aligning"}),
        (
            {"method": {"name": "wa", "loss": "bsce"}},
            {"method": {"name": "wa", "loss": "bsce", "correction": "none"}},
        ),
    ],
    ids=str,
)
def test_a_default_that_is_written_out_changes_no_byte(files, implied, written):
    assert files(implied) == files(written)


def test_a_file_holds_the_options_of_its_components_and_is_read_as_it_was_written(files, tmp_path):
    files({"method": {"name": "wa", "loss": "ce"}, "options.baseline.temperature": 3.0})
    params = load_params(tmp_path / "params.yaml")
    for key, earlier in {"00": None, "01": [3], "02": [3, 2]}.items():
        stored = read_json(tmp_path / "recipes" / f"{key}.json")
        assert TaskSettings.of(stored, "") == settings_of(params, key)
        assert stored["earlier"] == earlier
        assert stored["loss"] == {"name": "ce", "options": {}}
    assert stored["method"] == {"name": "wa", "options": {"temperature": 2.0}}
    assert stored["correction"] == {"name": "weight_aligning", "options": {}}
    assert read_json(tmp_path / "recipes" / "00.json")["method"] is None


def test_the_code_of_a_component_decides_the_tasks_that_it_trains(tmp_path):
    """A method in a file next to params.yaml, and what that file imports."""

    def files(helper):
        (tmp_path / "my_helpers.py").write_text(helper)
        command = [sys.executable, "-m", "tfcil", "stage", "recipes"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
        return {file.stem: file.read_bytes() for file in (tmp_path / "recipes").iterdir()}

    (tmp_path / "my_method.py").write_text(
        "import my_helpers\n"
        "from tfcil.components.facts import MethodFacts\n"
        "FACTS = MethodFacts()\n"
        "def learn(task, train, options):\n"
        "    return my_helpers.trained(task, train)\n"
    )
    method = {"name": "module:my_method", "loss": "ce"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(PARAMS | {"method": method}))
    before, after = files("trained = None\n"), files("trained = 1\n")
    assert {key for key in before if before[key] != after[key]} == {"01", "02"}
    assert files("trained = None\n") == before


def test_a_bounded_loss_without_warm_up_is_warned_of_in_one_line(files, capfd):
    files({"method.loss": "gce"})
    assert "warmup" not in capfd.readouterr().err
    files({"method.loss": "gce", "options.gce.warmup": 0})
    (line,) = [line for line in capfd.readouterr().err.splitlines() if "warmup" in line]
    assert line.startswith("options.gce.warmup=0: ")


def test_the_bytes_of_a_file_are_settings_of_the_first_task_alone(files, tmp_path):
    backbone = tmp_path / "network.keras"
    changes = {"model": {"backbone": str(backbone), "pixels": "raw"}}
    backbone.write_bytes(b"one")
    before = files(changes)
    assert files(changes) == before
    backbone.write_bytes(b"two")
    after = files(changes)
    assert {key for key in after if after[key] != before[key]} == {"00"}
    backbone.unlink()
    with pytest.raises(UserError, match=r"expected a file \(No such file.*network\.keras"):
        files(changes)
