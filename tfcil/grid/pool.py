"""Worker processes with one thread each: faster on a few cores than one process with them all."""

import contextlib
import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from tfcil.errors import UserError

ENVIRONMENT = {
    **{f"TF_NUM_{which}_THREADS": "1" for which in ("INTRAOP", "INTEROP")},
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")},
    # Otherwise the first worker would take all of a GPU's memory.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
}


@dataclass(frozen=True)
class Failure:
    """A job that did not end well, and why in one line."""

    line: str


class Pool:
    """Worker processes, to be used as a context; leaving it ends them at once.

    A worker lives on from job to job, so libraries are imported once. What it prints goes to
    worker-N.log.

    Args:
        workers: how many.
        folder: where the logs go.
    """

    def __init__(self, workers: int, folder):
        self._logs = [Path(folder) / f"worker-{number}.log" for number in range(workers)]
        self._connections = [None] * workers
        self._processes = [None] * workers

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in filter(None, self._processes):
            process.terminate()
            process.join()

    def run(self, jobs):
        """Runs jobs, each on the first worker that is free.

        Args:
            jobs: pairs of a key and a function without arguments that can be pickled.

        Yields:
            Pairs of a job's key, and what its function returned or a `Failure`, as they end.
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
        with _environment(ENVIRONMENT):
            process.start()
        # With the worker's end open here, its death would not be noticed.
        other.close()
        self._processes[number], self._connections[number] = process, connection
        return connection

    def _outcome(self, connection, number):
        try:
            return connection.recv()
        except (EOFError, ConnectionError):  # reset, where it died with its job unread
            process = self._processes[number]
            process.join()
            return Failure(f"the worker process ended with code {process.exitcode}")


@contextlib.contextmanager
def _environment(variables):
    """Sets environment variables for the processes that are started meanwhile."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
        os.environ.update(before)


def _serve(connection, log) -> None:
    """Does one job after the other until the parent process has no more."""
    # Ctrl-C reaches every process of the terminal; the parent ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with contextlib.suppress(EOFError):
        while True:
            job = connection.recv()
            try:
                outcome = job()
            except Exception as error:
                traceback.print_exc()
                kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
                outcome = Failure(kind + " ".join(str(error).split()))
            connection.send(outcome)


def _end_with_parent() -> None:
    """Ends this process with its parent, however that was killed, and not after its training."""
    multiprocessing.parent_process().join()
    os._exit(1)
