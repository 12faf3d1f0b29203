"""`strategy: multi_worker`: two processes train as one does, and go on when one was killed.

The two machines are two nodes of Ray on this one.
"""

import io
import os
import subprocess
import sys
import time
import zipfile

import h5py
import numpy as np
import psutil
import pytest
import yaml
from tiny_project import PARAMS, RECIPE
from two_machines import two_machines

from tfcil.stages.run import run_stage

pytest.importorskip("ray", reason="needs Ray: pip install 'tfcil[cluster]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]

BOUND = 600.0  # seconds for what takes a minute, on a busy machine
# So small a rate that differences in the last digit stay there; and time enough to be killed in.
SHORT = RECIPE | {"epochs": 4, "learning_rate": 1e-4}
LONG = RECIPE | {"epochs": 12, "learning_rate": 2e-5}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with two_machines():
        yield


def start(folder, **params):
    """Starts `tfcil run` on both machines."""
    folder.mkdir()
    whole = PARAMS | {"strategy": "multi_worker", "machines": 2} | params
    (folder / "params.yaml").write_text(yaml.safe_dump(whole, sort_keys=False))
    return subprocess.Popen(
        [sys.executable, "-m", "tfcil", "run"],
        cwd=folder,
        env=os.environ | {"CI": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(process):
    """What a process that ends well has told."""
    _, text = process.communicate(timeout=BOUND)
    assert process.returncode == 0, text
    return text.splitlines()


def members(folder):
    """The processes that train together in a folder, the one started first at first."""
    found = []
    for one in psutil.process_iter(["cmdline", "cwd"]):
        name, *_ = one.info["cmdline"] or [""]
        if name.startswith("ray::_Process") and one.info["cwd"] == str(folder):
            found.append(one)
    return sorted(found, key=lambda one: one.pid)


def weights(folder, task):
    """All arrays of a task's model, by their names."""
    with zipfile.ZipFile(folder / "models" / f"{task}.keras") as archive:
        stored = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    found = {}

    def add(name, one):
        if isinstance(one, h5py.Dataset):
            found[name] = one[()]

    stored.visititems(add)
    return found


def train_in_one_process(folder, **params):
    """Trains both tasks in this process."""
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS | params, sort_keys=False))
    for stage in ("prepare", "recipes", "start", "train 00", "select 00", "train 01"):
        run_stage(*stage.split(), root=folder)


def assert_trained_alike(folder, alone):
    for task in ("00", "01"):
        found, expected = weights(folder, task), weights(alone, task)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    before, after = weights(alone, "00"), weights(alone, "01")
    moved = [np.abs(after[name] - before[name]).max() for name in before if "conv" in name]
    assert max(moved) > 1e-4  # far more than they may differ by


def test_a_process_that_is_killed_is_replaced_and_nothing_is_lost(tmp_path):
    """The whole chain; only the chief writes, and what it wrote last is where both go on."""
    recipes = {"base": SHORT, "increment": LONG}
    running = start(tmp_path / "two", **recipes)
    while not (tmp_path / "two" / "checkpoints" / "01.npz").exists():
        assert running.poll() is None
        time.sleep(0.01)
    members(tmp_path / "two")[-1].kill()
    lines = told(running)
    assert [line for line in lines if "starts again from its checkpoint" in line] != []
    assert any(line.startswith("task 01 (2 of 2): 12 epochs") for line in lines)
    assert members(tmp_path / "two") == []
    train_in_one_process(tmp_path / "one", **recipes)
    assert_trained_alike(tmp_path / "two", tmp_path / "one")


def test_a_mean_over_the_old_samples_of_each_process_is_that_of_one(tmp_path):
    """In lucir's ranking."""
    params = {"base": SHORT, "increment": SHORT, "method": {"name": "lucir", "loss": "ce"}}
    told(start(tmp_path / "two", **params))
    train_in_one_process(tmp_path / "one", **params)
    assert_trained_alike(tmp_path / "two", tmp_path / "one")
