"""Worker processes: each result comes back, and what goes wrong in one stays there."""

import functools
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfcil.grid.pool import Failure, Pool


@pytest.fixture
def pool(tmp_path):
    with Pool(2, tmp_path) as pool:
        yield pool


def test_every_job_ends_and_processes_are_used_again(pool):
    jobs = [(number, os.getpid) for number in range(8)]
    processes = dict(pool.run(jobs))
    assert sorted(processes) == list(range(8))
    assert 1 <= len(set(processes.values())) <= 2
    assert os.getpid() not in processes.values()


def test_failing_job_is_told_in_one_line_and_stops_no_other(pool):
    jobs = [("bad", functools.partial(int, "a\nb")), ("good", functools.partial(math.sqrt, 9))]
    outcomes = dict(pool.run(jobs))
    assert outcomes["good"] == 3
    assert outcomes["bad"].line.startswith("ValueError: invalid literal")
    assert "\n" not in outcomes["bad"].line


def test_worker_that_dies_fails_its_job_and_is_replaced(pool):
    jobs = [(number, functools.partial(os._exit, 3)) for number in range(3)]
    outcomes = dict(pool.run([*jobs, ("good", os.getpid)]))
    assert isinstance(outcomes.pop("good"), int)
    assert set(outcomes.values()) == {Failure("the worker process ended with code 3")}


class EndsOnArrival:
    """A job whose worker ends while it takes it over."""

    def __reduce__(self):
        return os._exit, (5,)


def test_worker_that_dies_on_arrival_of_its_job_is_replaced(pool):
    jobs = [(number, EndsOnArrival()) for number in range(3)]
    outcomes = dict(pool.run([*jobs, ("good", os.getpid)]))
    assert isinstance(outcomes.pop("good"), int)
    assert set(outcomes.values()) == {Failure("the worker process ended with code 5")}


@pytest.mark.parametrize("size", [0, 2**24], ids=["job is never read", "job is never sent whole"])
def test_workers_that_die_at_start_fail_their_jobs(size, tmp_path):
    """Their log cannot be opened; once it can, the same pool works."""
    folder = tmp_path / "logs"
    folder.write_text("a file where the folder should be")
    jobs = [(number, functools.partial(len, bytes(size))) for number in range(3)]
    with Pool(2, folder) as pool:
        outcomes = dict(pool.run(jobs))
        assert outcomes == dict.fromkeys(range(3), Failure("the worker process ended with code 1"))
        folder.unlink()
        assert dict(pool.run(jobs)) == dict.fromkeys(range(3), size)


def test_worker_that_died_between_two_jobs_costs_none(tmp_path):
    with Pool(1, tmp_path) as pool:
        ((_, worker),) = pool.run([("first", os.getpid)])
        os.kill(worker, signal.SIGKILL)
        for process in multiprocessing.active_children():
            process.join()
        ((_, another),) = pool.run([("second", os.getpid)])
    assert isinstance(another, int)
    assert another != worker


def test_workers_have_onednn_on_as_every_process_of_tfcil(pool, monkeypatch):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    asked = functools.partial(os.getenv, "TF_ENABLE_ONEDNN_OPTS")
    assert dict(pool.run([("key", asked)])) == {"key": "1"}


def test_workers_have_their_threads_and_leave_our_environment_alone(pool, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "NPROC")
    jobs = [(name, functools.partial(os.getenv, name)) for name in names]
    assert dict(pool.run(jobs)) == dict.fromkeys(names, "1")
    assert [os.environ.get(name) for name in names[:2]] == ["7", None]
    with Pool(1, tmp_path, threads=2) as other:
        assert dict(other.run(jobs)) == dict.fromkeys(names, "2")


def test_leaving_the_pool_ends_its_workers(tmp_path):
    with Pool(1, tmp_path) as pool:
        list(pool.run([("job", os.getpid)]))
        assert len(multiprocessing.active_children()) == 1
    assert multiprocessing.active_children() == []


def test_interruption_of_the_terminal_is_left_to_the_parent(pool):
    """Ctrl-C reaches the workers too; a job must not end by it."""
    interrupted = functools.partial(signal.raise_signal, signal.SIGINT)
    assert dict(pool.run([("alive", interrupted)])) == {"alive": None}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_workers_do_not_outlive_a_parent_that_was_killed(tmp_path):
    """They would go on with trainings that nobody waits for, and starve the next ones."""
    script = (
        "import functools, pathlib, threading, time\n"
        "from tfcil.grid.pool import Pool\n"
        "if __name__ == '__main__':\n"
        f"    with Pool(1, pathlib.Path({str(tmp_path)!r})) as pool:\n"
        "        jobs = [('key', functools.partial(time.sleep, 60))]\n"
        "        run = threading.Thread(target=lambda: list(pool.run(jobs)), daemon=True)\n"
        "        run.start()\n"
        "        while pool._processes[0] is None:\n"
        "            time.sleep(0.05)\n"
        "        print(pool._processes[0].pid, flush=True)\n"
        "        time.sleep(60)\n"
    )
    file = tmp_path / "parent.py"
    file.write_text(script)
    with subprocess.Popen([sys.executable, file], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        time.sleep(1)  # until it sleeps
        parent.kill()
    ends = time.monotonic() + 10
    while is_running(worker) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not is_running(worker)


def is_running(process):
    """Nobody may be there to collect an orphan that has ended."""
    status = Path(f"/proc/{process}/status")
    return status.exists() and "zombie" not in status.read_text()
