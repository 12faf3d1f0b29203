"""`strategy: multi_worker`: two processes train as one does, and go on when one was killed."""

import io
import json
import os
import shutil
import signal
import socket
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

from tfcil.stages.run import run_stage

BOUND = 300.0  # seconds for what takes twenty, on a busy machine
# So small a rate that differences in the last digit stay there; and time enough to be killed in.
SHORT = RECIPE | {"epochs": 4, "learning_rate": 1e-4}
LONG = RECIPE | {"epochs": 12, "learning_rate": 2e-5}


@pytest.fixture
def two(tmp_path):
    """A project, and its commands as the chief (0) and as the worker (1) of a cluster."""
    return Two(tmp_path / "two")


class Two:
    """A project folder that two processes of one cluster share."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        with (
            socket.create_server(("127.0.0.1", 0)) as one,
            socket.create_server(("127.0.0.1", 0)) as other,
        ):
            self.addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]

    def write(self, **params):
        """Writes params.yaml."""
        text = yaml.safe_dump(PARAMS | {"strategy": "multi_worker"} | params, sort_keys=False)
        (self.folder / "params.yaml").write_text(text)

    def start(self, index, *arguments, **environment):
        """Starts `tfcil` as the chief or the worker."""
        config = {"cluster": {"worker": self.addresses}, "task": {"type": "worker", "index": index}}
        return subprocess.Popen(
            [sys.executable, "-m", "tfcil", *arguments],
            cwd=self.folder,
            env=os.environ | {"TF_CONFIG": json.dumps(config), "CI": "1"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def ends(process):
    """How a process ended, and what it told."""
    _, told = process.communicate(timeout=BOUND)
    return process.returncode, told


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


def test_a_worker_that_ends_is_told_and_the_training_goes_on_without_loss(two, tmp_path):
    """The whole chain; only the chief writes, and what it wrote last is where both go on."""
    recipes = {"base": SHORT, "increment": LONG}
    two.write(**recipes)
    chief, worker = two.start(0, "run"), two.start(1, "worker")
    checkpoint = two.folder / "checkpoints" / "01.npz"
    while not checkpoint.exists():
        assert (chief.poll(), worker.poll()) == (None, None)
        time.sleep(0.01)
    # TensorFlow would take SIGTERM for itself, which is how clusters end what they run.
    (training,) = psutil.Process(worker.pid).children()
    ended = time.monotonic()
    training.terminate()
    status, told = ends(chief)
    assert time.monotonic() - ended < 30  # half a second where nothing else runs
    assert status == 1
    assert told.splitlines()[-1] == f"error: worker 1 ({two.addresses[1]}) ended during task 01"
    assert ends(worker) == (1, "")
    assert not (two.folder / "models" / "01.keras").exists()

    chief, worker = two.start(0, "stage", "train", "01"), two.start(1, "worker", "--tasks", "1")
    status, told = ends(chief)
    assert status == 0, told
    assert ends(worker) == (0, "")
    train_in_one_process(tmp_path / "one", **recipes)
    assert_trained_alike(two.folder, tmp_path / "one")


def test_a_mean_over_the_old_samples_of_each_process_is_that_of_one(two, tmp_path):
    """In lucir's ranking; the task before is taken from the run in one process."""
    params = {"base": SHORT, "increment": SHORT, "method": {"name": "lucir", "loss": "ce"}}
    train_in_one_process(tmp_path / "one", **params)
    shutil.copytree(tmp_path / "one", two.folder, dirs_exist_ok=True)
    (two.folder / "models" / "01.keras").unlink()
    two.write(**params)
    run_stage("recipes", root=two.folder)
    chief, worker = two.start(0, "stage", "train", "01"), two.start(1, "worker")
    status, told = ends(chief)
    assert status == 0, told
    worker.terminate()  # it waits for the next task
    assert ends(worker) == (128 + signal.SIGTERM, "")
    assert_trained_alike(two.folder, tmp_path / "one")


@pytest.mark.parametrize(
    ("index", "command", "told"),
    [
        (1, ["run"], "the others run `tfcil worker`"),
        (0, ["worker"], "the chief runs `dvc repro` or `tfcil run`"),
        (1, ["worker", "--tasks", "0"], "Received: --tasks=0"),
        (1, ["worker", "--tasks", "1", "--patience", "0.1"], "to train a task within 0.1 s"),
    ],
)
def test_wrong_roles_are_told_before_any_work(two, index, command, told):
    two.write()
    status, line = ends(two.start(index, *command))
    assert (status, line.count("\n")) == (1, 1)
    assert told in line
    assert [file.name for file in two.folder.iterdir()] == ["params.yaml"]


def test_a_run_without_tf_config_is_told_before_any_work(two):
    two.write()
    status, line = ends(two.start(0, "run", TF_CONFIG=""))
    assert (status, line.count("\n")) == (1, 1)
    assert "expected a TF_CONFIG such as" in line
