"""Connections on which the processes that train together notice when one of them ends.

TensorFlow reports the death of a process in several ways: not always which process, and not always
soon. Here a process that dies closes its line; one that hangs, or lost its machine, is silent.
"""

import contextlib
import json
import os
import sys
import threading

from tfcil.cluster.tf_config import Cluster
from tfcil.errors import UserError

BEAT = 5.0  # seconds between signs of life
SILENCE = 60.0  # seconds without a sign of life, after which a process counts as dead
GRACE = 5.0  # seconds that a process has to end by itself, or to answer
LONGEST = 4096  # bytes of a message


class MemberDone(Exception):  # noqa: N818 (it is no error)
    """Ends a worker's part in a task: the rest is writing, and only the chief writes."""


class Line:
    """A connection that carries messages, one JSON object per line."""

    def __init__(self, connection):
        self._connection, self._file = connection, connection.makefile("rb")
        self._sending = threading.Lock()

    def send(self, **message) -> None:
        """Sends a message; if the line is broken, `receive` notices it."""
        with contextlib.suppress(OSError), self._sending:
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float) -> dict | None:
        """Returns the next message; `None` where the line is closed, silent or sends no JSON."""
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
    """The lines of one process while a task is trained: to all workers, or to the chief."""

    def __init__(self, cluster: Cluster, task: str):
        self.cluster, self.task = cluster, task
        self._lines = {}
        # Set when the training is over, and when this process has reported its own error.
        self._over, self._told = threading.Event(), threading.Event()
        self._telling = threading.Lock()
        # Counts the workers that are ready; on a worker, the chief.
        self._ready = threading.Semaphore(0)

    def add(self, index: int, line: Line) -> None:
        """Starts to watch the line to a process, and to send signs of life on it."""
        self._lines[index] = line
        threading.Thread(target=self._watch, args=(index, line), daemon=True).start()
        threading.Thread(target=self._beat, args=(line,), daemon=True).start()

    def team(self) -> "Team":
        """Returns this team when every process is ready for TensorFlow to connect them.

        Reading the images may take long, and a process that waits in TensorFlow notices nothing.
        """
        if self.cluster.is_chief:
            for _ in self._lines:
                self._ready.acquire()
        self._send(ready=True)
        if not self.cluster.is_chief:
            self._ready.acquire()
        return self

    def end(self) -> None:
        """Ends the training; on a worker, waits for the chief to end it and raises `MemberDone`."""
        if not self.cluster.is_chief:
            self._over.wait()
            raise MemberDone
        self._over.set()
        self._send(over=True)

    def fail(self, error) -> None:
        """Sends this process's error to its peers; one that hits it itself prints its own."""
        if self._told.is_set():
            return
        self._told.set()
        self._send(failed=" ".join(str(error).split())[:1000])
        if not self.cluster.is_chief:
            self._over.wait(GRACE)

    def explained(self, error) -> UserError:
        """Turns an error of TensorFlow into a `UserError`.

        Where another process has died, this process ends first, with a better message.
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
                # The main thread mostly hits the same error, and ends the process in good order.
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
        """Ends this process: its main thread is in TensorFlow, where nothing can interrupt it."""
        if self._told.is_set():
            self._over.set()
        # Only one thread prints, where several lose their lines at the same time.
        if self._over.is_set() or not self._telling.acquire(blocking=False):
            return
        self._send(lost=text)
        # A progress bar hides the cursor.
        cursor = "\x1b[?25h" if sys.stderr.isatty() else ""
        print(f"{cursor}error: {text}", file=sys.stderr, flush=True)
        os._exit(1)
