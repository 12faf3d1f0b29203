"""How the processes of a training find each other.

TensorFlow would wait for ever for a missing process. So before TensorFlow connects them, every
worker calls the chief, at the chief's address in TF_CONFIG, and is sent the task's key.
"""

import contextlib
import contextvars
import os
import socket
import time
from importlib.metadata import version

from tfcil.cluster.team import GRACE, Line, Team
from tfcil.cluster.tf_config import Cluster
from tfcil.errors import UserError

PATIENCE = 600.0  # seconds that the chief waits for its workers, unless TFCIL_PATIENCE is set
RETRY = 0.5  # seconds between a worker's calls

_membership = contextvars.ContextVar("membership")


@contextlib.contextmanager
def member(of):
    """Sets the `RollCall` or `Team` of this process while it trains."""
    token = _membership.set(of)
    try:
        yield
    finally:
        _membership.reset(token)


def membership():
    """Returns the `RollCall` or `Team` of this process, or `None`."""
    return _membership.get(None)


class RollCall:
    """Collects the workers for the chief before it trains the task with this key."""

    def __init__(self, cluster: Cluster, task: str):
        self.cluster, self._task = cluster, task
        self._missing = set(range(1, len(cluster.addresses)))

    def team(self) -> Team:
        """Waits until every worker has joined and is ready.

        Raises:
            UserError: where a worker is missing, or the chief's port is not free.
        """
        patience = _patience()
        try:
            listener = socket.create_server(("", self.cluster.endpoint[1]))
        except OSError as error:
            raise UserError(
                "Expected the chief's port to be free; is a training still running? "
                f"({error.strerror}) Received: chief={self.cluster.addresses[0]}"
            ) from None
        team, until = Team(self.cluster, self._task), time.monotonic() + patience
        # The listener must be closed before TensorFlow opens the same port.
        with listener:
            while self._missing:
                listener.settimeout(max(until - time.monotonic(), RETRY))
                try:
                    self._admit(Line(listener.accept()[0]), team)
                except TimeoutError:
                    missing = ", ".join(map(self.cluster.name, sorted(self._missing)))
                    raise UserError(
                        f"Expected every worker to join task {self._task} within {patience:g} s "
                        f"(TFCIL_PATIENCE), each by `tfcil worker`. Missing: {missing}"
                    ) from None
        return team.team()

    def _admit(self, line, team):
        """Adds a caller to the team, if it is a missing worker of the same versions."""
        message = line.receive(GRACE) or {}
        index, versions = message.get("worker"), message.get("versions")
        if index in self._missing and versions == _versions():
            line.send(task=self._task)
            team.add(index, line)
            self._missing.remove(index)
            return
        if index in self._missing:
            line.send(refused=f"Expected {_versions()}, as the chief has it. Received: {versions}")
        line.close()


def join(cluster: Cluster, patience: float | None = None) -> Team:
    """Waits for the next training of the chief, at most `patience` seconds, and joins it.

    Raises:
        UserError: where no chief answers, or it has other versions.
    """
    until = time.monotonic() + (patience or float("inf"))
    while time.monotonic() < until:
        line, answer = _call(cluster)
        if "refused" in answer:
            line.close()
            raise UserError(answer["refused"])
        if "task" in answer:
            team = Team(cluster, answer["task"])
            team.add(0, line)
            return team
        time.sleep(RETRY)
    raise UserError(
        f"Expected {cluster.name(0)} to train a task within {patience:g} s, by `dvc repro` or "
        "`tfcil run`. Received: no answer"
    )


def _call(cluster):
    """Calls the chief; returns the line and the answer, which is empty if no chief answers."""
    try:
        line = Line(socket.create_connection(cluster.endpoint, GRACE))
    except OSError:
        return None, {}
    line.send(worker=cluster.index, versions=_versions())
    answer = line.receive(GRACE)
    if answer is None:
        line.close()
    return line, answer or {}


def _versions() -> str:
    names = ("tfcil", "tensorflow", "keras", "pillow")
    return ", ".join(f"{name} {version(name)}" for name in names)


def _patience() -> float:
    text = os.environ.get("TFCIL_PATIENCE", PATIENCE)
    with contextlib.suppress(ValueError):
        if 0 < float(text) < 1e9:
            return float(text)
    raise UserError(f"Expected a number of seconds. Received: TFCIL_PATIENCE={text}")
