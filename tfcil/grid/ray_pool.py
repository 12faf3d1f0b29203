"""The jobs of a grid on all machines of a Ray cluster, whether they share the folder or not."""

import os
import tempfile
from collections import deque
from pathlib import Path

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
        self.workers = min(workers or room, room)
        variables = environment(**worker_environment(threads))
        options = {"num_cpus": threads, "num_gpus": gpus, "runtime_env": variables}
        self._run = self._ray.remote(**options, max_retries=1)(_run)
        self._is_shared = self._all_see_this_folder(nodes, variables)
        self._parcels = {}  # by folder: references to the object store

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ray.shutdown()  # ends all its jobs

    def run(self, jobs):
        """Runs `Job`s and yields their outcomes; see `Pool.run`."""
        waiting, busy, code = deque(jobs), {}, package_digest()
        while waiting or busy:
            while waiting and len(busy) < self.workers:
                key, job = waiting.popleft()
                busy[self._start(job, code)] = key, job
            (done,), _ = self._ray.wait(list(busy))
            key, job = busy.pop(done)
            yield key, self._outcome(done, job)

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
        return run.remote(job, code, None, *(self._parcels[one] for one in job.reads))

    def _outcome(self, done, job):
        try:
            outcome, made = self._ray.get(done)
        except self._ray.exceptions.RayError as error:
            return Failure(f"the worker process ended ({type(error).__name__})")
        if made:
            unpack(made, job.writes)
        return outcome

    def _on(self, node):
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)

    def _all_see_this_folder(self, nodes, variables):
        look = self._ray.remote(num_cpus=0, runtime_env=variables)(os.path.exists)
        with tempfile.NamedTemporaryFile(prefix=".tfcil-", dir=os.getcwd()) as file:
            places = [self._on(node["NodeID"]) for node in nodes]
            looks = [look.options(scheduling_strategy=place).remote(file.name) for place in places]
            return all(self._ray.get(looks))


def _room(resources, needed):
    """Returns how many jobs a machine has room for."""
    return int(min(resources.get(name, 0) // number for name, number in needed.items()))


def _has(node, needed):
    return {name: node["Resources"].get(name, 0) for name in needed}


def _run(job, code, folder, *parcels):
    """Runs a job in a folder that all machines see, or with what it reads in one of its own.

    Returns its outcome, and what it wrote into a folder of its own.
    """
    if package_digest() != code:
        error = UserError("Expected the same code of tfcil on all machines. Received: other code")
        return Failure(str(error)), None
    if folder is not None:
        os.chdir(folder)
        return outcome_of(job), None
    with tempfile.TemporaryDirectory() as own:
        os.chdir(own)
        for parcel, path in zip(parcels, job.reads, strict=True):
            unpack(parcel, path)
        outcome = outcome_of(job)
        made = None if isinstance(outcome, Failure) else pack(job.writes, job.reads)
        os.chdir(Path(own).parent)
    return outcome, made
