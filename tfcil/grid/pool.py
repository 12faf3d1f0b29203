"""Worker processes of few threads: on a few cores, faster than one process of many threads."""

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from tfcil.errors import UserError


def worker_environment(threads: int = 1) -> dict[str, str]:
    """Returns the environment variables of a worker process."""
    tensorflow = [f"TF_NUM_{which}_THREADS" for which in ("INTRAOP", "INTEROP")]
    others = [f"{library}_NUM_THREADS" for library in ("OMP", "OPENBLAS", "MKL")]
    of_jax = "NPROC"
    return dict.fromkeys([*tensorflow, *others, of_jax], str(threads)) | {
        # Otherwise the first worker would take all of a GPU's memory.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


@dataclass(frozen=True)
class Job:
    """Work for a pool, which can be pickled.

    Args:
        work: function without arguments.
        reads: folders that it reads, relative to the current one.
        writes: the folder that it makes, if any.
    """

    work: Callable
    reads: tuple[Path, ...] = ()
    writes: Path | None = None

    def __call__(self):
        """Does the work."""
        return self.work()


@dataclass(frozen=True)
class Failure:
    """Says in one line why a job failed."""

    line: str


class Pool:
    """A context with worker processes; leaving it ends them at once.

    A worker runs many jobs, so it imports libraries once. It prints to FOLDER/worker-N.log.
    """

    def __init__(self, workers: int, folder, threads: int = 1):
        self.workers, self.threads = workers, threads
        self._logs = [Path(folder) / f"worker-{number}.log" for number in range(workers)]
        self._processes, self._connections = [None] * workers, [None] * workers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in filter(None, self._processes):
            process.terminate()
            process.join()

    def run(self, jobs):
        """Runs jobs, pairs of a key and a function without arguments that can be pickled.

        Yields the key and the function's result, or a `Failure`, of each job as it ends.
        """
        waiting, busy = deque(jobs), {}
        free = deque(range(len(self._processes)))
        while waiting or busy:
            while waiting and free:
                key, job = waiting.popleft()
                number = free.popleft()
                connection = self._worker(number)
                with contextlib.suppress(ConnectionError):  # `_outcome` finds the worker dead
                    connection.send(job)
                busy[connection] = number, key
            for connection in wait(busy):
                number, key = busy.pop(connection)
                free.append(number)
                yield key, self._outcome(connection, number)

    def _worker(self, number):
        """Returns the connection to a worker; starts one where none lives."""
        process = self._processes[number]
        if process is not None and process.is_alive():
            return self._connections[number]
        spawn = multiprocessing.get_context("spawn")
        connection, other = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(other, self._logs[number]), daemon=True)
        with _environment(worker_environment(self.threads)):
            process.start()
        # With the worker's end open here, the connection would outlive the worker.
        other.close()
        self._processes[number], self._connections[number] = process, connection
        return connection

    def _outcome(self, connection, number):
        try:
            return connection.recv()
        except (EOFError, ConnectionError):  # ConnectionError: it died before it read its job
            process = self._processes[number]
            process.join()
            return Failure(f"the worker process ended with code {process.exitcode}")


@contextlib.contextmanager
def _environment(variables):
    """Sets environment variables for the processes started in this context."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _serve(connection, log) -> None:
    """Runs jobs until the parent process closes the connection."""
    # Ctrl-C reaches every process of the terminal, but the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with contextlib.suppress(EOFError):
        while True:
            job = connection.recv()
            connection.send(outcome_of(job))


def outcome_of(job):
    """Runs a job; returns its result, or the `Failure` that it ended with."""
    try:
        return job()
    except Exception as error:
        traceback.print_exc()
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        return Failure(kind + " ".join(str(error).split()))


def _end_with_parent() -> None:
    """Ends this process as soon as its parent ends, even by SIGKILL."""
    multiprocessing.parent_process().join()
    os._exit(1)
