"""Ray starts a process on each of two machines, starts all again when one ends, and runs jobs.

The two machines are two nodes of Ray on this one.
"""

import math
import os
from functools import partial
from pathlib import Path

import parts
import pytest
from two_machines import two_machines

from tfcil.cluster import together
from tfcil.cluster.together import train_together
from tfcil.errors import UserError
from tfcil.grid.pool import Failure, Job
from tfcil.grid.ray_pool import RayPool, _room

pytest.importorskip("ray", reason="needs Ray: pip install 'tfcil[cluster]'")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with two_machines(Path(__file__).parent) as cluster:
        yield cluster


def run(folder, index=None, what=None, times=0, machines=2, facts=parts.facts, progress=int):
    work = partial(parts.part, str(folder), index, what, times)
    train_together(machines, work, facts, progress, title="task 01")


def test_each_machine_has_one_process_and_knows_the_others(tmp_path):
    run(tmp_path)
    pids = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert sorted(pids) == ["0 of 2", "1 of 2"]
    assert len({*pids.values(), str(os.getpid())}) == 3


def test_the_chief_tells_on_this_terminal_and_the_others_do_not(capfd):
    train_together(2, parts.tell, parts.facts, int, title="task 01")
    assert capfd.readouterr().err == "told by 0\n"


@pytest.mark.parametrize(
    ("index", "what", "told"),
    [
        (0, parts.die, "task 01: machine 0 ("),
        (1, parts.die, "task 01: machine 1 ("),
        (0, parts.lose_another, ") no longer reaches another; starts again from its checkpoint"),
    ],
)
def test_all_start_again_when_one_is_lost(index, what, told, tmp_path, capfd):
    run(tmp_path, index, what, times=1)
    printed = capfd.readouterr()
    (line,) = printed.err.splitlines()
    assert told in line
    assert printed.out == ""  # of Ray's own
    assert len(list(tmp_path.glob("done-*"))) == 1


def test_three_losses_without_progress_end_the_training(tmp_path):
    with pytest.raises(UserError, match=r"task 01: machine 1 \(.*\) ended; ended after 3 tries"):
        run(tmp_path, 1, parts.die, times=99)
    assert len(list(tmp_path.glob("done-*"))) == 3


def test_losses_with_progress_between_them_do_not_add_up(tmp_path):
    run(tmp_path, 1, parts.die, 3, progress=lambda: len(list(tmp_path.glob("done-*"))))
    assert len(list(tmp_path.glob("done-*"))) == 3


@pytest.mark.parametrize(
    ("what", "error"), [(parts.make_a_mistake, UserError), (parts.fall, ZeroDivisionError)]
)
def test_a_mistake_goes_up_at_once(what, error, tmp_path):
    with pytest.raises(error, match=r"^(a mistake|an unexpected one)$"):
        run(tmp_path, 1, what, times=99)
    assert len(list(tmp_path.glob("done-*"))) == 1


def test_machines_that_differ_are_told_before_any_work(tmp_path):
    with pytest.raises(UserError, match=r"Expected keras \d+ on every machine, as on machine 0"):
        run(tmp_path, facts=parts.other_facts)
    assert list(tmp_path.iterdir()) == []


def test_missing_machines_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(together, "PATIENCE", 0.5)
    with pytest.raises(UserError, match=r"Expected 9 machines with .* in the Ray cluster"):
        run(tmp_path, machines=9)


def test_machines_that_are_left_do_the_parts_of_a_lost_one(cluster, tmp_path):
    """As in the task after the one in which it was lost, where nothing has failed yet."""
    lost = cluster.add_node(num_cpus=1)
    cluster.remove_node(lost)
    run(tmp_path, machines=3)
    assert len(list(tmp_path.iterdir())) == 3


def test_jobs_run_in_this_folder_with_one_thread_and_failures_stay_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jobs = {
        "root": partial(math.sqrt, 9),
        "folder": os.getcwd,
        "threads": partial(os.getenv, "TF_NUM_INTRAOP_THREADS"),
        "bad": partial(int, "a\nb"),
        "dead": partial(os._exit, 3),
    }
    with RayPool(None) as pool:
        assert pool.workers == 4
        outcomes = dict(pool.run((key, Job(work)) for key, work in jobs.items()))
    bad, dead = outcomes.pop("bad"), outcomes.pop("dead")
    assert outcomes == {"root": 3, "folder": str(tmp_path), "threads": "1"}
    assert bad.line.startswith("ValueError: invalid literal")
    assert isinstance(dead, Failure)
    assert "\n" not in dead.line


def test_jobs_of_other_code_are_refused(monkeypatch):
    monkeypatch.setattr("tfcil.grid.ray_pool.package_digest", lambda: "other")
    with RayPool(1) as pool:
        ((_, outcome),) = pool.run([("key", Job(os.getpid))])
    assert "the same code of tfcil on all machines" in outcome.line


def test_jobs_take_the_resources_they_need():
    with RayPool(None, threads=2) as pool:
        assert pool.workers == 2
        asked = Job(partial(os.getenv, "TF_NUM_INTRAOP_THREADS"))
        assert dict(pool.run([("key", asked)])) == {"key": "2"}


def test_a_gpu_has_room_for_all_its_parts():
    assert _room({"CPU": 16, "GPU": 1}, {"CPU": 1, "GPU": 0.1}) == 10
    assert _room({"CPU": 7}, {"CPU": 2}) == 3
    assert _room({"CPU": 16}, {"CPU": 1, "GPU": 0.1}) == 0


@pytest.mark.parametrize(("threads", "gpus"), [(3, None), (1, 0.5)])
def test_resources_that_no_machine_has_are_told(threads, gpus):
    with pytest.raises(UserError, match="resources of the grid file that a machine of the Ray"):
        RayPool(None, threads, gpus)
