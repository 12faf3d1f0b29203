"""A grid on the machines of a Ray cluster; they are two nodes of Ray on this one."""

import contextlib
import os
import subprocess
import time

import psutil
import pytest
from tiny_grid import contents, write_grid
from two_machines import one_machine, two_machines

from tfcil.cluster.connect import connect
from tfcil.grid.run import run_grid

pytest.importorskip("ray", reason="needs Ray: pip install 'tfcil[cluster]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


RUNS = {"BSCE": {}, "CE": {"method.loss": "ce"}}


def run_in(folder, monkeypatch):
    """Runs the grid in a new folder; returns the files it wrote."""
    folder.mkdir(exist_ok=True)
    file = write_grid(folder, RUNS, seeds=[3])
    monkeypatch.chdir(folder)
    assert run_grid(file.name)
    return contents(folder / "runs")


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files of the grid without Ray."""
    with pytest.MonkeyPatch.context() as patch:
        return run_in(tmp_path_factory.mktemp("alone"), patch)


@contextlib.contextmanager
def machine_that_does_not_see(folder):
    """Adds a machine to the cluster, for which something else lies over a folder."""
    join = f"ray start --address={os.environ['RAY_ADDRESS']} --num-cpus=2 --block"
    hidden = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none {folder} && exec {join}"]
    process = subprocess.Popen(hidden, stdout=subprocess.DEVNULL)
    try:
        while len(connect().nodes()) < 2:
            time.sleep(0.1)
        yield
    finally:
        started = psutil.Process(process.pid)
        for one in [*started.children(recursive=True), started]:
            one.kill()
        process.wait()


def test_a_grid_has_the_files_of_a_grid_on_one_machine(alone, tmp_path, monkeypatch):
    with two_machines():
        written = run_in(tmp_path, monkeypatch)
    assert len(written) > 20
    assert written == alone


def test_machines_without_a_shared_folder_send_their_files(alone, tmp_path, monkeypatch):
    """The first machine has no processor to spare: all trainings are done on the other one."""
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("needs the right to mount")
    with one_machine(num_cpus=0), machine_that_does_not_see(tmp_path):
        assert run_in(tmp_path, monkeypatch) == alone
    data = tmp_path / "runs" / "tiny" / "ce" / "seed3" / "data"
    assert (data / "format.json").stat().st_nlink == 3  # .data and both variants have one file
