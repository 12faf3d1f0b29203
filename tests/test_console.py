"""A training says how far it is: a bar on a terminal, a line per minute in a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tfcil.console import EpochLines, training_progress

ROOT = Path(__file__).parents[1]
TITLE = "task 01 (2 of 5)"
CLOSING = f"{TITLE}: 3 epochs, training loss 0.812  accuracy 0.703\n"


def row(epoch):
    return {"epoch": epoch, "loss": 0.8123, "accuracy": 0.7031}


def line(epoch, epochs):
    return f"{TITLE}: epoch {epoch} of {epochs}, loss 0.812, accuracy 0.703\n"


@pytest.mark.parametrize(
    ("seconds_per_epoch", "told"),
    [(7, [9, 18, 27]), (60, range(1, 30)), (90, range(1, 30)), (1, [])],
)
def test_there_is_a_line_per_epoch_or_per_minute_whichever_is_rarer(
    seconds_per_epoch, told, capsys
):
    now = 1000.0
    lines = EpochLines(TITLE, clock=lambda: now)
    for epoch in range(1, 31):
        now += seconds_per_epoch
        lines.show(row(epoch), 30)
    assert capsys.readouterr().err == "".join(line(epoch, 30) for epoch in told)


def test_training_in_a_file_has_lines_and_the_closing_one(capsys, monkeypatch):
    monkeypatch.setattr(EpochLines, "SECONDS_BETWEEN", 0)
    with training_progress(TITLE) as on_epoch:
        for epoch in (1, 2, 3):
            on_epoch(row(epoch), 3)
    assert capsys.readouterr().err == line(1, 3) + line(2, 3) + CLOSING


def test_training_of_less_than_a_minute_has_the_closing_line_alone(capsys):
    with training_progress(TITLE) as on_epoch:
        for epoch in (1, 2, 3):
            on_epoch(row(epoch), 3)
    assert capsys.readouterr().err == CLOSING


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_training_on_a_terminal_has_a_bar_and_no_lines():
    script = (
        "from tfcil.console import EpochLines, training_progress\n"
        "EpochLines.SECONDS_BETWEEN = 0\n"
        f"with training_progress({TITLE!r}) as on_epoch:\n"
        f"    for row in {[row(epoch) for epoch in (1, 2, 3)]}: on_epoch(row, 3)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    environment |= {"TERM": "xterm", "PYTHONPATH": str(ROOT)}
    ours, terminal = os.openpty()
    subprocess.run([sys.executable, "-c", script], env=environment, stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert "━" in shown
    assert "epoch 1 of 3" not in shown
    assert shown.endswith(CLOSING.replace("\n", "\r\n"))
