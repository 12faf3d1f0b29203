"""What a person sees on the terminal: progress, but no internal messages of libraries."""

import contextlib
import os
import sys
import tempfile
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def native_messages_hidden():
    """Hides what libraries write to file descriptor 2, unless the block fails.

    TensorFlow's C++ logs several lines while it is imported, before any setting can stop it.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            os.write(terminal, hidden.read())
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


class EpochLines:
    """Prints the figures of an epoch where no bar is shown: once a minute at most.

    The last epoch gets no line, because the closing line follows.
    """

    SECONDS_BETWEEN = 60

    def __init__(self, title: str, clock=time.monotonic):
        self._title, self._clock = title, clock
        self._printed = clock()

    def show(self, row, epochs: int) -> None:
        """Prints a row of the training curve, if a minute has passed."""
        now = self._clock()
        if now - self._printed < self.SECONDS_BETWEEN or row["epoch"] == epochs:
            return
        self._printed = now
        print(
            f"{self._title}: epoch {row['epoch']} of {epochs}, "
            f"loss {row['loss']:.3f}, accuracy {row['accuracy']:.3f}",
            file=sys.stderr,
            flush=True,
        )


@contextlib.contextmanager
def training_progress(title: str):
    """Shows a bar on a terminal, a line per minute elsewhere, and one closing line everywhere.

    Yields:
        A function to call after each epoch with its row of the curve, and the number of epochs of
        all phases so far.
    """
    bar, lines = _bar("epochs  {task.fields[figures]}  left"), EpochLines(title)
    closing = "learned without training"

    def on_epoch(row, epochs):
        nonlocal closing
        figures = f"loss {row['loss']:.3f}  accuracy {row['accuracy']:.3f}"
        closing = f"{row['epoch']} epochs, training {figures}"
        bar.update(shown, completed=row["epoch"], total=epochs, figures=figures)
        if bar.disable:
            lines.show(row, epochs)

    with bar:
        shown = bar.add_task(title, total=None, figures="")
        yield on_epoch
    print(f"{title}: {closing}", file=sys.stderr)


@contextlib.contextmanager
def image_progress(title: str, images: int):
    """Yields a function to call after each image; shows a bar on a terminal, nothing elsewhere."""
    with _bar("images  left") as bar:
        shown = bar.add_task(title, total=images)
        yield lambda: bar.advance(shown)


def _bar(text: str) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(text),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty() or "CI" in os.environ,
        transient=True,
    )
