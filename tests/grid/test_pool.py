"""Worker processes: each result comes back, and what goes wrong in one stays there."""

import functools
import math
import multiprocessing
import os
import signal

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


def test_workers_have_one_thread_each_and_leave_our_environment_alone(pool, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    seen = dict(pool.run((name, functools.partial(os.getenv, name)) for name in names))
    assert seen == dict.fromkeys(names, "1")
    assert [os.environ.get(name) for name in names] == ["7", None]


def test_leaving_the_pool_ends_its_workers(tmp_path):
    with Pool(1, tmp_path) as pool:
        list(pool.run([("job", os.getpid)]))
        assert len(multiprocessing.active_children()) == 1
    assert multiprocessing.active_children() == []


def test_interruption_of_the_terminal_is_left_to_the_parent(pool):
    """Ctrl-C reaches the workers too; a job must not end by it."""
    interrupted = functools.partial(signal.raise_signal, signal.SIGINT)
    assert dict(pool.run([("alive", interrupted)])) == {"alive": None}
