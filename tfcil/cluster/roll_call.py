"""How the processes of a training find each other.

TensorFlow waits without end for one that does not come. So before it makes its connections, every
worker calls the chief, at the chief's address in TF_CONFIG, and learns which task is trained.
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

PATIENCE = 600.0  # seconds that the chief waits for its workers, unless TFCIL_PATIENCE says so
RETRY = 0.5  # seconds between a worker's calls

_membership = contextvars.ContextVar("membership")


@contextlib.contextmanager
def member(of):
    """Makes this process a member of a `RollCall` or a `Team` while it trains."""
    token = _membership.set(of)
    try:
        yield
    finally:
        _membership.reset(token)


def membership():
    """Returns what this process is a member of, or `None`."""
    return _membership.get(None)


class RollCall:
    """What the chief does before it trains a task.

    Args:
        cluster: the `Cluster`.
        task: key of the task.
    """

    def __init__(self, cluster: Cluster, task: str):
        self.cluster, self._task = cluster, task
        self._missing = set(range(1, len(cluster.addresses)))

    def team(self) -> Team:
        """Waits until every worker has come, and is ready.

        Raises:
            UserError: where one does not, or the chief's port is not free.
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
        # TensorFlow takes the port over when it is closed.
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
        """Adds who calls to the team, if it is a worker that is missing."""
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
    """Joins the next training of the chief; one that is not there yet is waited for.

    Args:
        cluster: the `Cluster`.
        patience: seconds after which this is given up; `None`: never.

    Raises:
        UserError: where no chief comes, or it has other versions.
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
    """Calls the chief: the line, and what it answers; nothing where it is not, or not yet, one."""
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
    return ", ".join(f"{name} {version(name)}" for name in ("tfcil", "tensorflow", "keras"))


def _patience() -> float:
    text = os.environ.get("TFCIL_PATIENCE", PATIENCE)
    with contextlib.suppress(ValueError):
        if 0 < float(text) < 1e9:
            return float(text)
    raise UserError(f"Expected a number of seconds. Received: TFCIL_PATIENCE={text}")
