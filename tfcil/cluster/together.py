"""One training over several machines: starts a process on each, and all again when one is lost."""

import contextlib
import fcntl
import json
import os
import socket
import sys
import time

from tfcil.cluster.connect import connect, environment
from tfcil.cluster.members import Member, MemberDone, PeerLost, member
from tfcil.errors import UserError

TRIES = 3  # in a row without progress
PATIENCE = 120.0  # seconds to wait for machines


class _Process:
    """A process on one machine; Ray makes an actor of it."""

    def greet(self, facts):
        """Returns a free address for TensorFlow, and what must be the same on all machines."""
        import ray

        known = facts()
        with socket.create_server(("", 0)) as free:
            return f"{ray.util.get_node_ip_address()}:{free.getsockname()[1]}", known

    def work(self, index, addresses, work, driver):
        """Does its part of the work, in the thread and process that TensorFlow wants."""
        workers = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        os.environ["TF_CONFIG"] = json.dumps(workers)
        if index == 0:
            _write_to(driver)
        with member(Member(tuple(addresses), index)), contextlib.suppress(MemberDone):
            work()


def _write_to(driver):
    """Sends what this process tells to the terminal or file of `driver`, on this machine."""
    with contextlib.suppress(OSError):  # such as a socket, or a terminal of another person
        os.dup2(os.open(f"/proc/{driver}/fd/2", os.O_WRONLY | os.O_APPEND), 2)


def train_together(machines: int, work, facts, progress, title: str) -> None:
    """Runs `work` in one process on each of several machines of the Ray cluster, in step.

    A process that ends, an unavailable peer or a lost machine starts all of them again, in which
    `work` goes on from its checkpoint.

    Args:
        machines: number of machines; this one is the first, whose process is the chief.
        work: function without arguments that can be pickled.
        facts: function that returns a dictionary of what must be the same on all machines.
        progress: function that returns how far the work has come, in whatever form.
        title: what is trained, for messages.

    Raises:
        UserError: where machines are missing or differ, or a process tells a person's mistake.
    """
    ray = connect()
    # In a file, the lines of the chief and of this process must not overwrite each other.
    fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_APPEND)
    failed, before = 0, progress()
    while True:
        try:
            return _try(ray, machines, work, facts, failed, title)
        except PeerLost as lost:
            failed = failed + 1 if progress() == before else 1
            before = progress()
            if failed == TRIES:
                raise UserError(f"{title}: {lost}; ended after {TRIES} tries") from None
            print(f"{title}: {lost}; starts again from its checkpoint", file=sys.stderr, flush=True)


def _try(ray, machines, work, facts, failed, title):
    from ray.util.placement_group import remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy as Place

    own = ray.get_runtime_context().get_node_id()
    here = next(node for node in ray.nodes() if node["NodeID"] == own)
    gpus = here["Resources"].get("GPU", 0)
    bundles = [{"CPU": 1, **({"GPU": gpus} if gpus else {})} for _ in range(machines)]
    # Only this machine has the resource of this name: the chief writes to this disk and terminal.
    bundles[0] |= {f"node:{here['NodeManagerAddress']}": 0.001}
    group, actors = _place(ray, bundles, failed, title), []
    try:
        options = {"num_cpus": 1, "num_gpus": gpus, "runtime_env": environment()}
        actor = ray.remote(**options)(_Process)  # which Ray does not restart by itself
        places = [Place(group, index) for index in range(machines)]
        actors += [actor.options(scheduling_strategy=place).remote() for place in places]
        hosts = [f"machine {index}" for index in range(machines)]
        greetings = _results(ray, [one.greet.remote(facts) for one in actors], hosts)
        addresses, known = zip(*greetings, strict=True)
        hosts = [f"machine {index} ({each})" for index, each in enumerate(addresses)]
        _check_alike(hosts, known)
        shared = list(addresses), work, os.getpid()
        _results(ray, [one.work.remote(i, *shared) for i, one in enumerate(actors)], hosts)
    finally:
        for one in actors:
            ray.kill(one)
        remove_placement_group(group)


def _place(ray, bundles, failed, title):
    """Returns a placement group: a bundle per machine, or more where some machines are lost."""
    from ray.util.placement_group import placement_group, remove_placement_group

    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        # Ray takes a minute to notice that a machine is gone.
        alive = [node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]]
        some_are_lost = len(alive) < len(bundles) <= len(ray.nodes())
        strategy = "SPREAD" if failed or some_are_lost else "STRICT_SPREAD"
        group = placement_group(bundles, strategy=strategy)
        if group.wait(min(PATIENCE, 5.0)):
            if some_are_lost:
                left = f"{len(alive)} of {len(bundles)} machines are left"
                print(f"{title}: {left}", file=sys.stderr, flush=True)
            return group
        remove_placement_group(group)
    raise UserError(
        f"Expected {len(bundles)} machines with {bundles[-1]} free in the Ray cluster. "
        f"Received: {', '.join(alive)}"
    )


def _results(ray, calls, hosts):
    """Returns the results of calls, as soon as all have one, or raises the first failure."""
    waiting = dict(zip(calls, hosts, strict=True))
    while waiting:
        (done,), _ = ray.wait(list(waiting))
        host = waiting.pop(done)
        try:
            ray.get(done)
        except ray.exceptions.RayTaskError as error:
            if not isinstance(error.cause, PeerLost):
                raise error.cause from None
            raise PeerLost(f"{host} no longer reaches another") from None
        except (ray.exceptions.RayActorError, ray.exceptions.RuntimeEnvSetupError):
            raise PeerLost(f"{host} ended") from None
    return ray.get(calls)


def _check_alike(hosts, known):
    for host, one in zip(hosts, known, strict=True):
        for name, value in known[0].items():
            if one.get(name) != value:
                raise UserError(
                    f"Expected {name} {value} on every machine, as on {hosts[0]}. "
                    f"Received: {name} {one.get(name)} on {host}"
                )
