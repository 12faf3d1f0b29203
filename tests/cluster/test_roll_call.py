"""Processes that train together find each other, and each tells in one line who was lost."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tfcil.cluster import Cluster, MemberDone, RollCall, join, roll_call
from tfcil.errors import UserError

MEMBER = Path(__file__).with_name("member.py")
BOUND = 15.0  # seconds for what takes one, on a busy machine


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def start(port):
    """Starts processes of a cluster that do what they are told; they are in it when it returns."""
    processes = []

    def run(*ways, silence=30.0, size=None):
        for index, way in enumerate(ways):
            arguments = (port, size or len(ways), index, way, silence)
            command = [sys.executable, MEMBER, *map(str, arguments)]
            pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
            processes.append(subprocess.Popen(command, text=True, **pipes))
        for process in processes if size is None else ():
            assert process.stdout.readline() == "in 07\n"
        return processes

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def ends(process, seconds=BOUND):
    """How a process ended by itself, and what it told."""
    _, told = process.communicate(timeout=seconds)
    return process.returncode, told


def test_the_chief_ends_the_training_and_the_workers_go(start):
    chief, *workers = start("end", "end", "end")
    assert ends(chief) == (0, "over\n")
    assert [ends(worker) for worker in workers] == [(0, "served\n")] * 2


def test_a_worker_that_is_killed_is_told_by_all_others(start):
    chief, killed, other = start("stay", "stay", "stay")
    killed.kill()
    for process in (chief, other):
        assert ends(process) == (1, "error: worker 1 (elsewhere:1) ended during task 07\n")


def test_workers_tell_that_the_chief_was_killed(start, port):
    chief, *workers = start("stay", "stay", "stay")
    chief.kill()
    told = f"error: the chief (127.0.0.1:{port}) ended during task 07\n"
    assert [ends(worker) for worker in workers] == [(1, told)] * 2


def test_a_worker_that_hangs_counts_as_lost_after_some_silence(start):
    """So does one whose machine has lost its power or its network."""
    chief, stopped = start("stay", "stay", silence=2.0)
    stopped.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert ends(chief) == (1, "error: worker 1 (elsewhere:1) ended during task 07\n")
    assert time.monotonic() - began > 1.0


def test_signs_of_life_keep_a_silent_training_going(start):
    chief, worker = start("stay", "stay", silence=1.0)
    time.sleep(2.5)
    assert [process.poll() for process in (chief, worker)] == [None, None]


def test_nobody_connects_before_all_are_ready(start, port):
    """One may read its images for long, and finds out that another is lost meanwhile."""
    (chief,) = start("end", size=2)
    worker = join(Cluster((f"127.0.0.1:{port}", "elsewhere:1"), 1), BOUND)
    time.sleep(0.5)
    assert chief.poll() is None
    with pytest.raises(MemberDone):
        worker.team().end()
    assert ends(chief) == (0, "over\n")


def test_a_mistake_found_by_one_worker_is_told_by_all(start):
    chief, failing, other = start("stay", "fail", "stay")
    assert ends(failing) == (1, "error: a mistake\n")
    for process in (chief, other):
        assert ends(process) == (1, "error: worker 1 (elsewhere:1): a mistake\n")


def test_a_mistake_found_by_all_is_told_by_each_as_its_own(start):
    assert [ends(one) for one in start("fail", "fail")] == [(1, "error: a mistake\n")] * 2


def test_a_worker_passes_by_what_is_no_chief_and_waits_for_one(start, port, monkeypatch):
    """Between two tasks the port may be closed, or that of TensorFlow."""
    monkeypatch.setattr(roll_call, "RETRY", 0.05)
    joined = []
    cluster = Cluster((f"127.0.0.1:{port}", "elsewhere:1"), 1)
    waiting = threading.Thread(target=lambda: joined.append(join(cluster, BOUND)))
    waiting.start()
    with socket.create_server(("127.0.0.1", port)) as other:
        connection, _ = other.accept()
        with connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n")
    (chief,) = start("end", size=2)
    waiting.join()
    assert joined[0].task == "07"
    with pytest.raises(MemberDone):
        joined[0].team().end()
    assert ends(chief) == (0, "over\n")


def test_a_worker_that_does_not_come_is_named(monkeypatch, port):
    monkeypatch.setenv("TFCIL_PATIENCE", "0.2")
    with pytest.raises(UserError, match=r"join task 07 within 0\.2 s .*: worker 1 \(two:1\)"):
        RollCall(Cluster((f"127.0.0.1:{port}", "two:1"), 0), "07").team()


@pytest.mark.parametrize("patience", ["soon", "0", "-1", "nan", "inf"])
def test_a_wrong_patience_is_told(monkeypatch, port, patience):
    monkeypatch.setenv("TFCIL_PATIENCE", patience)
    with pytest.raises(UserError, match=f"Received: TFCIL_PATIENCE={patience}"):
        RollCall(Cluster((f"127.0.0.1:{port}", "two:1"), 0), "07").team()


def test_a_chief_that_does_not_come_is_told(port):
    with pytest.raises(UserError, match=r"Expected the chief \(127.*within 0\.2 s"):
        join(Cluster((f"127.0.0.1:{port}", "two:1"), 1), 0.2)


def test_a_port_in_use_is_told(port):
    with (
        socket.create_server(("", port)),
        pytest.raises(UserError, match="port to be free; is a training still running"),
    ):
        RollCall(Cluster((f"127.0.0.1:{port}", "two:1"), 0), "07").team()


def test_a_worker_with_other_versions_is_refused(start, port, monkeypatch):
    start("stay", size=2)
    monkeypatch.setattr(roll_call, "_versions", lambda: "tfcil 0.0.0")
    with pytest.raises(UserError, match=r"as the chief has it\. Received: tfcil 0\.0\.0"):
        join(Cluster((f"127.0.0.1:{port}", "two:1"), 1), BOUND)
