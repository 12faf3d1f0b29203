"""The jobs of a grid on all machines of a Ray cluster, whether they share the folder or not."""

import os
import tempfile
from collections import deque
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tfcil.cluster.connect import connect, environment
from tfcil.components.code import package_digest
from tfcil.errors import UserError
from tfcil.grid.parcels import pack, unpack
from tfcil.grid.pool import Failure, outcome_of, worker_environment


class RayPool:
    """A context like `Pool`, whose workers print to Ray's logs.

    A job that reads no folder runs on this machine, where a person's files are. Where a machine
    does not see the current folder, folders travel through Ray's object store. A job whose machine
    is lost is run once more, on another.

    Args:
        workers: the largest number of jobs at a time, or `None` for as many as there is room for.
        threads: of each job.
        gpus: for each job, or `None` for one where the cluster has any.

    Raises:
        UserError: where no cluster answers, or no machine has so much.
    """

    def __init__(self, workers: int | None, threads: int = 1, gpus: float | None = None):
        self._ray = connect()
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        if gpus is None:
            gpus = min(1, max(node["Resources"].get("GPU", 0) for node in nodes))
        needed = {"CPU": threads} | ({"GPU": gpus} if gpus else {})
        room = sum(_room(node["Resources"], needed) for node in nodes)
        if not room:
            raise UserError(
                "Expected resources of the grid file that a machine of the Ray cluster has. "
                f"Received: {needed}, on machines with {[_has(node, needed) for node in nodes]}"
            )
        self.workers, self.threads = min(workers or room, room), threads
        variables = environment(**worker_environment(threads))
        options = {"num_cpus": threads, "num_gpus": gpus, "runtime_env": variables}
        self._run = self._ray.remote(**options, max_retries=1)(_run)
        self._is_shared = self._all_see_this_folder(nodes, variables)
        self._parcels = {}  # by folder: references to the object store
        self._busy = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self._busy:
            self._ray.cancel(one)
        # Until they have removed their folders; what has not ended then is killed.
        if self._busy:
            self._ray.wait(list(self._busy), num_returns=len(self._busy), timeout=5)
        self._ray.shutdown()

    def run(self, jobs):
        """Runs `Job`s and yields their outcomes; see `Pool.run`."""
        waiting, code = deque(jobs), package_digest()
        while waiting or self._busy:
            while waiting and len(self._busy) < self.workers:
                key, job = waiting.popleft()
                self._busy[self._start(job, code)] = key, job
            (done,), _ = self._ray.wait(list(self._busy))
            key, job = self._busy.pop(done)
            outcome = self._outcome(done, job)
            unfinished = [*waiting, *self._busy.values()]
            read = {folder for _, other in unfinished for folder in other.reads}
            self._parcels = {one: kept for one, kept in self._parcels.items() if one in read}
            yield key, outcome

    def _start(self, job, code):
        run = self._run
        if not job.reads:
            here = self._ray.get_runtime_context().get_node_id()
            run = run.options(num_cpus=0, num_gpus=0, scheduling_strategy=self._on(here))
        if self._is_shared or not job.reads:
            return run.remote(job, code, os.getcwd())
        for one in job.reads:
            if one not in self._parcels:
                self._parcels[one] = self._ray.put(pack(one))
        # Inside a list, they are not held in memory for as long as the job runs.
        return run.remote(job, code, parcels=[self._parcels[one] for one in job.reads])

    def _outcome(self, done, job):
        try:
            outcome = self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            return Failure(f"the worker process ended ({type(error).__name__})")
        if isinstance(outcome, _Sent):
            unpack(outcome.parcel, job.writes)
            return outcome.outcome
        return outcome

    def _on(self, node):
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)

    def _all_see_this_folder(self, nodes, variables):
        look = self._ray.remote(num_cpus=0, runtime_env=variables)(os.path.exists)
        with tempfile.NamedTemporaryFile(prefix=".tfcil-", dir=os.getcwd()) as file:
            places = [self._on(node["NodeID"]) for node in nodes]
            looks = [look.options(scheduling_strategy=place).remote(file.name) for place in places]
            return all(map(self._seen, looks))

    def _seen(self, look):
        try:
            return self._ray.get(look)
        except self._ray.exceptions.RayError:
            return True  # a lost machine, which Ray has not noticed yet: it gets no jobs


@dataclass(frozen=True)
class _Sent:
    """The outcome of a job on a machine that does not see the folder, and what it made."""

    outcome: Any
    parcel: dict


def _room(resources, needed):
    """Returns how many jobs a machine has room for."""
    # A GPU has room for ten tenths.
    return int(min(resources.get(name, 0) / number for name, number in needed.items()) + 1e-6)


def _has(node, needed):
    return {name: node["Resources"].get(name, 0) for name in needed}


def _run(job, code, folder=None, parcels=()):
    """Runs a job in a folder that all machines see, or with what it reads in one of its own."""
    if package_digest() != code:
        return Failure("Expected the same code of tfcil on all machines. Received: other code")
    if folder is None:
        return outcome_of(partial(_run_apart, job, parcels))
    os.chdir(folder)
    return outcome_of(job)


def _run_apart(job, parcels):
    import ray

    with tempfile.TemporaryDirectory() as own:
        os.chdir(own)
        try:
            for parcel, path in zip(parcels, job.reads, strict=True):
                unpack(ray.get(parcel), path)
            return _Sent(job(), pack(job.writes, job.reads))
        finally:
            os.chdir(Path(own).parent)
