"""docs/before_it_ships.md: its commands run as they are written, its stage fits DVC."""

import re
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tfcil.cli import main

PAGE = Path(__file__).parents[2] / "docs" / "before_it_ships.md"
TEXT = PAGE.read_text(encoding="utf-8")


@pytest.fixture
def reader(experiment, monkeypatch):
    """In the folder of an experiment, with a photo."""
    Image.new("RGB", (40, 30), 100).save(experiment / "photo.jpg")
    monkeypatch.chdir(experiment)
    return experiment


def commands():
    [block] = re.findall(r"^```sh\n(.*?)^```", TEXT, flags=re.M | re.S)
    return [re.sub(r"\s+#.*", "", line).split() for line in block.splitlines()]


def test_commands_run(reader, capsys):
    assert len(commands()) == 4
    for program, *arguments in commands():
        assert program == "tfcil"
        try:
            main(arguments)
        except SystemExit:  # the check may end so: the models learned for seconds
            assert arguments[0] == "check"
            assert "failed: " in capsys.readouterr().out
    assert {"classifier.keras", "model_card.md"} <= {path.name for path in reader.iterdir()}


def test_stage_reads_files_that_are_there_and_runs_the_command_of_the_page(reader):
    [block] = re.findall(r"^```yaml\n(.*?)^```", TEXT, flags=re.M | re.S)
    stage = yaml.safe_load(block)["check"]
    assert stage["cmd"].split() == commands()[0]
    assert all((reader / path).is_file() for path in stage["deps"])


def test_limits_of_the_page_are_those_of_the_program():
    from tfcil.release.check import Limits

    limits = Limits()
    for option in ("class_drop", "total_drop", "calibration"):
        [points] = re.findall(rf"\| (\d+) points \| `--{option.replace('_', '-')}`", TEXT)
        assert float(points) == getattr(limits, option)
    assert f"`--level`, {limits.level:g}." in TEXT
