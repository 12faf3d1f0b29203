"""The jobs of a grid on all machines of a Ray cluster, which share the folder."""

import os
from collections import deque
from functools import partial

from tfcil.cluster.connect import connect, environment
from tfcil.components.code import package_digest
from tfcil.errors import UserError
from tfcil.grid.pool import ENVIRONMENT, Failure, outcome_of


class RayPool:
    """A context like `Pool`; its workers, of one thread or one GPU each, print to Ray's logs.

    A job whose machine is lost is run once more, on another.

    Args:
        workers: the largest number of jobs at a time, or `None` for as many as there is room for.
    """

    def __init__(self, workers: int | None):
        self._ray = connect()
        room = self._ray.cluster_resources()
        gpus = int(room.get("GPU", 0))
        self.workers = workers or gpus or int(room["CPU"])
        options = {"num_cpus": 1, "num_gpus": min(gpus, 1), "max_retries": 1}
        remote = self._ray.remote(**options, runtime_env=environment(**ENVIRONMENT))
        self._run = remote(_run)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ray.shutdown()  # ends all its jobs

    def run(self, jobs):
        """Runs jobs and yields their outcomes; see `Pool.run`."""
        waiting, busy, code = deque(jobs), {}, package_digest()
        while waiting or busy:
            while waiting and len(busy) < self.workers:
                key, job = waiting.popleft()
                busy[self._run.remote(os.getcwd(), code, job)] = key
            (done,), _ = self._ray.wait(list(busy))
            yield busy.pop(done), self._outcome(done)

    def _outcome(self, done):
        try:
            return self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            return Failure(f"the worker process ended ({type(error).__name__})")


def _run(folder, code, job):
    """Runs a job on some machine, in the same folder and with the same code."""
    return outcome_of(partial(_checked, folder, code, job))


def _checked(folder, code, job):
    if package_digest() != code:
        raise UserError("Expected the same code of tfcil on all machines. Received: other code")
    os.chdir(folder)
    return job()
