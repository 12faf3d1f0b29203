"""docs/own_images.md quotes the messages that a person really gets."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tfcil.config.params import Dataset, Params
from tfcil.data import open_dataset
from tfcil.errors import UserError
from tfcil.stages.layout import Layout
from tfcil.stages.prepare import prepare

PAGE = (Path(__file__).parents[2] / "docs" / "own_images.md").read_text(encoding="utf-8")


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """data/raw with three images of dogs, pandas and the one class of each mistake."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/raw")
    for first, name in ((0, "dog"), (10, "panda")):
        for value in range(first, first + 9):
            write(folder / name / f"{value}.jpg", value)
    return folder


def write(file, value):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4), 20 * value % 251).save(file)


def split(folder):
    shutil.copytree(folder, folder / "train")
    for name in ("dog", "panda"):
        shutil.rmtree(folder / name)
    write(folder / "test" / "panda" / "99.jpg", 99)


def lines(folder):
    (folder / "labels.csv").write_text("path,label\na.png,cat\nb.png\n")


MISTAKES = {
    "case": lambda folder: [write(folder / name / "1.jpg", 1) for name in ("Panda", "panda")],
    "newline": lambda folder: write(folder / "a\nb" / "1.jpg", 1),
    "empty class": lambda folder: (folder / "emu").mkdir(),
    "one image": lambda folder: write(folder / "emu" / "1.jpg", 99),
    "one split": split,
    "csv": lines,
    "empty file": lambda folder: (folder / "dog" / "3.jpg").write_bytes(b""),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_message_of_the_page_is_what_is_told(raw, mistake):
    MISTAKES[mistake](raw)
    path = raw / "labels.csv" if mistake == "csv" else raw
    with pytest.raises(UserError) as error:
        open_dataset(Dataset(name="folder", path=str(path)))
    assert f"\n{error.value}\n" in PAGE


@pytest.mark.parametrize(("name", "more"), [("pnda", {}), ("emu", {"validation": 0.1})])
def test_what_prepare_tells_is_on_the_page(raw, name, more):
    for file in ("train/emu/1.jpg", "test/emu/2.jpg"):
        write(raw / file, int(Path(file).stem))
    shutil.move(raw / "panda", raw / "train" / "panda")
    write(raw / "test" / "panda" / "99.jpg", 99)
    params = {
        "memory": 0,
        "dataset": {"name": "folder", "path": str(raw)},
        "tasks": {"00": {"classes": [name], "after": "start", "recipe": "base"}},
        "method": {"name": "finetune"},
        "base": {"epochs": 1},
        "increment": {"epochs": 1},
    }
    with pytest.raises(UserError) as error:
        prepare(Layout(), Params.of(params | more, "params"))
    assert f"\n{error.value}\n" in PAGE


def test_the_line_about_what_was_left_out_is_on_the_page(raw, capsys):
    for value in (1, 2):
        (raw / "dog" / f"{value}.jpg").write_bytes(b"")
    params = {
        "memory": 0,
        "dataset": {"name": "folder", "path": str(raw), "on_bad_image": "skip"},
        "tasks": {"00": {"classes": 2, "after": "start", "recipe": "base"}},
        "method": {"name": "finetune"},
        "base": {"epochs": 1},
        "increment": {"epochs": 1},
    }
    prepare(Layout(), Params.of(params, "params"))
    assert f"\n{capsys.readouterr().err}" in PAGE
