"""Lines between the processes that train together, on which each sees that the others live.

Of a process that dies TensorFlow tells in several ways, not always which one, and not always in
time. A process that dies closes its line; one whose machine is gone, or that hangs, is silent.
"""

import contextlib
import json
import os
import sys
import threading

from tfcil.cluster.tf_config import Cluster
from tfcil.errors import UserError

BEAT = 5.0  # seconds between signs of life
SILENCE = 60.0  # seconds without one, after which a process counts as dead
GRACE = 5.0  # seconds for a process to end by itself, or to answer
LONGEST = 4096  # bytes of a message


class MemberDone(Exception):  # noqa: N818 (it is no error)
    """Ends what a worker does for a task: what follows is writing, and only the chief writes."""


class Line:
    """A connection that carries messages, one JSON object per line."""

    def __init__(self, connection):
        self._connection, self._file = connection, connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, **message) -> None:
        """Sends a message; that nobody listens any more shows itself in `receive`."""
        with contextlib.suppress(OSError), self._sending:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict | None:
        """Returns the next message; `None` where the line is closed, silent, or not one of ours."""
        try:
            self._connection.settimeout(seconds)
            message = json.loads(self._file.readline(LONGEST))
        except (OSError, ValueError):
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """Closes the line."""
        self._file.close()
        self._connection.close()


class Team:
    """The lines of one process: the chief's to every worker, a worker's to the chief.

    Args:
        cluster: the `Cluster`.
        task: key of the task that is trained.
    """

    def __init__(self, cluster: Cluster, task: str):
        self.cluster, self.task = cluster, task
        self._lines = {}
        # Whether the training is over, and whether this process has told of a mistake itself.
        self._over, self._told = threading.Event(), threading.Event()
        self._telling = threading.Lock()
        # Counts the workers that are ready; on a worker, the chief.
        self._ready = threading.Semaphore(0)

    def add(self, index: int, line: Line) -> None:
        """Begins to watch the line to a process, and to give signs of life on it."""
        self._lines[index] = line
        threading.Thread(target=self._watch, args=(index, line), daemon=True).start()
        threading.Thread(target=self._beat, args=(line,), daemon=True).start()

    def team(self) -> "Team":
        """Returns this team, when every process of it is ready for TensorFlow to connect them.

        Reading its images may take one of them long; in TensorFlow nothing else could be heard.
        """
        if self.cluster.is_chief:
            for _ in self._lines:
                self._ready.acquire()
        self._send(ready=True)
        if not self.cluster.is_chief:
            self._ready.acquire()
        return self

    def end(self) -> None:
        """Ends the training.

        Raises:
            MemberDone: on a worker, when the chief says so.
        """
        if not self.cluster.is_chief:
            self._over.wait()
            raise MemberDone
        self._over.set()
        self._send(over=True)

    def fail(self, error) -> None:
        """Tells the others of a mistake found here; who finds it too tells it in its own words."""
        if self._told.is_set():
            return
        self._told.set()
        self._send(failed=" ".join(str(error).split())[:1000])
        if not self.cluster.is_chief:
            self._over.wait(GRACE)

    def explained(self, error) -> UserError:
        """Returns what to tell of an error of TensorFlow.

        Where it comes from a death, this process ends before that.
        """
        self._over.wait(SILENCE + BEAT)
        return UserError(f"Training task {self.task} on several workers stopped: {error}")

    def _send(self, **message):
        for line in list(self._lines.values()):
            line.send(**message)

    def _beat(self, line):
        while not self._over.wait(BEAT):
            line.send(alive=True)

    def _watch(self, index, line):
        name = self.cluster.name(index)
        while not self._over.is_set():
            message = line.receive(SILENCE)
            if message is None:
                self._lose(f"{name} ended during task {self.task}")
            elif "failed" in message:
                # The main thread mostly finds the same, and ends the process in good order.
                self._told.wait(GRACE)
                self._lose(f"{name}: {message['failed']}")
            elif "lost" in message:
                self._lose(message["lost"])
            elif "ready" in message:
                self._ready.release()
            elif "over" in message:
                self._over.set()
        line.close()

    def _lose(self, text):
        """Ends this process: its main thread is in TensorFlow, where nothing can wake it."""
        if self._told.is_set():
            self._over.set()
        # One thread tells it, where several lose a line at a time.
        if self._over.is_set() or not self._telling.acquire(blocking=False):
            return
        self._send(lost=text)
        # A progress bar hides the cursor.
        cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
        print(f"{cursor}error: {text}", file=sys.stderr, flush=True)
        os._exit(1)
