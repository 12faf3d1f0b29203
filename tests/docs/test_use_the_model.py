"""docs/use_the_model.md: its commands and programs run as they are written."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from photos import photos, pixels

from tfcil.classifier import grown, save_classifier, untrained
from tfcil.cli import main
from tfcil.exemplars import ExemplarMemory
from tfcil.files import write_json

PAGE = (Path(__file__).parents[2] / "docs" / "use_the_model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line.removeprefix("tfcil ").split()
    for language, text in BLOCKS
    if language == "sh"
    for line in text.splitlines()
    if line.startswith("tfcil ")
]
NEEDED = ("onnxruntime", "tf2onnx", "ai_edge_litert")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of colour images, and photos, after all commands of the page."""
    for package in NEEDED:
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("finished")
    (folder / "models").mkdir()
    (folder / "photos").mkdir()
    contents = photos(4)
    (folder / "photo.jpg").write_bytes(contents[0])
    (folder / "photos" / "a.jpg").write_bytes(contents[1])
    images = np.stack([pixels(one, (32, 32)) for one in contents])
    start = untrained("simple_cnn", (32, 32, 3), [110.0] * 3, [60.0] * 3, seed=1)
    save_classifier(grown(start, 4, np.random.default_rng(0)), folder / "models" / "04.keras")
    write_json(folder / "models" / "04.json", {"classes": ["panda", "koala", "bear", "red panda"]})
    memory = ExemplarMemory.empty((32, 32, 3))
    memory.update(images, np.arange(4), np.eye(4), 4, budget=4).save(folder / "memory" / "04.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in COMMANDS:
            main(command)
    return folder


def test_commands_write_every_format(finished):
    assert len(COMMANDS) == 6
    written = {path.name for path in finished.iterdir()}
    assert {"classifier.keras", "serving", "classifier.onnx", "classifier.tflite"} <= written
    assert "nearest_mean.keras" in written


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_program_runs_as_written_and_names_the_same_class(finished, predicted, number):
    name, probability = run(finished, "-c", PROGRAMS[number]).splitlines()[0].rsplit(" ", 1)
    first = predicted.removeprefix("photo.jpg: ").split(", ")[0]
    told, percent = first.rsplit(" ", 1)
    assert name == told
    assert float(probability) == pytest.approx(float(percent[:-1]) / 100, abs=0.02)


@pytest.fixture(scope="module")
def predicted(finished):
    """What the first command of the page prints of photo.jpg."""
    return run(finished, "-m", "tfcil", *COMMANDS[0]).splitlines()[0]


def run(folder, *arguments):
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
