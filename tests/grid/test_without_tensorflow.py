"""With Keras on JAX, an experiment and a grid need no TensorFlow once their images are prepared.

As on a machine with a GPU and JAX alone: there, an import of TensorFlow fails in every process.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_grid import PARAMS, write_grid, write_yaml

from tfcil.cli import main
from tfcil.files import read_json
from tfcil.stages.run import run_stage

ROOT = Path(__file__).parents[2]
RUNS = {"baseline bsce": {}, "replay ce": {"method.name": "replay", "method.loss": "ce"}}
# Python runs a module of this name when it starts, also in the workers of a grid.
SITECUSTOMIZE = """
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ImportError(f"{name} is blocked")


sys.meta_path.insert(0, Blocked())
"""

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs the extra `jax`")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Images that were prepared with TensorFlow at hand, for an experiment and for a grid."""
    folder = tmp_path_factory.mktemp("jax")
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(SITECUSTOMIZE)
    file = write_grid(folder, RUNS, seeds=[3])
    run_stage("prepare", root=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["grid", file.name, "--prepare", "--workers", "1"])
    return folder


@pytest.fixture(scope="module")
def blocked(folder):
    """Runs Python in that folder, where TensorFlow can't be imported."""

    def run(*arguments):
        environment = os.environ | {
            "KERAS_BACKEND": "jax",
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiles in half the time
            "PYTHONPATH": os.pathsep.join([str(folder / "blocked"), str(ROOT)]),
        }
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=folder, env=environment, check=False, capture_output=True, text=True
        )

    return run


def test_tensorflow_is_blocked(blocked):
    assert "tensorflow is blocked" in blocked("-c", "import tensorflow").stderr


def test_an_experiment_runs_whole(folder, blocked):
    """Its data set is one that can't be opened there."""
    write_yaml(folder / "params.yaml", PARAMS | {"dataset": {"name": "cifar100"}})
    refused = blocked("-m", "tfcil", "run")
    assert refused.returncode == 1
    assert refused.stderr.startswith("error: dataset.name: `cifar100` needs tensorflow-datasets")
    done = blocked("-m", "tfcil", "run", "--prepared")
    assert done.returncode == 0, done.stderr
    assert read_json(folder / "metrics.json")["last_accuracy"] > 0
    log = read_json(folder / "logs" / "01.json")
    assert (log["backend"], "tensorflow" in log["versions"]) == ("jax", False)
    write_yaml(folder / "params.yaml", PARAMS)


def test_scalars_for_tensorboard_are_refused_before_the_training(folder, blocked):
    write_yaml(folder / "params.yaml", PARAMS | {"seed": 6, "tensorboard": "events"})
    refused = blocked("-m", "tfcil", "run", "--prepared")
    write_yaml(folder / "params.yaml", PARAMS)
    assert refused.returncode == 1
    assert "tensorboard: writing events needs TensorFlow" in refused.stderr.splitlines()[-1]


def test_a_grid_runs_whole_on_the_images_that_were_prepared(folder, blocked):
    done = blocked("-m", "tfcil", "grid", "tiny.yaml", "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (folder / "results" / "tiny.md").read_text()
    assert "JAX " in page
    assert "TensorFlow " not in page
    assert all(f"| {name} |" in page for name in RUNS)
    (prepared,) = (folder / "runs" / "tiny" / ".data").iterdir()
    used = folder / "runs" / "tiny" / "replay-ce" / "seed3"
    files = [one / "data" / "train" / "01" / "images.npy" for one in (prepared, used)]
    assert os.path.samefile(*files)
