"""Killed at any moment, the next call of the same command goes on and ends with the same bytes.

A few kills of the hundreds that `python tests/pipeline/kills.py` makes.
"""

import random
import sys

import pytest
from kills import SETTINGS, WAYS, deterministic, run_to_the_end

COMMAND = [sys.executable, "-m", "tfcil", "run"]
TWO_TASKS = SETTINGS | {"tasks": {key: SETTINGS["tasks"][key] for key in ("00", "01")}}


@pytest.fixture(scope="module")
def left_alone(clone):
    """The files of a run without a kill."""
    project = clone("alone")
    project.change(TWO_TASKS)
    run_to_the_end(project, COMMAND, 0, random.Random(0), 0)
    return deterministic(project.folder)


def test_killed_in_each_way_it_ends_with_the_same_bytes(left_alone, clone):
    """While TensorFlow is loaded, while it trains, in between: wherever the moments fall."""
    project = clone("killed")
    project.change(TWO_TASKS)
    done = run_to_the_end(project, COMMAND, len(WAYS), random.Random(3), 14)
    found = deterministic(project.folder)
    assert len(done) > 0
    assert sorted(found) == sorted(left_alone)
    assert [name for name in found if found[name] != left_alone[name]] == []
    checkpoints = list((project.folder / "checkpoints").glob("*"))
    assert checkpoints == []
