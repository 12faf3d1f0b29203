"""What a person sees on the terminal: progress, and nothing that is not for them."""

import contextlib
import os
import sys
import tempfile
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextlib.contextmanager
def native_messages_hidden():
    """Hides what libraries write to file descriptor 2; shows it after all if the block fails.

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

    The last epoch has no line here, as the closing line follows.

    Args:
        title: which task of how many.
        clock: returns seconds.
    """

    SECONDS_BETWEEN = 60

    def __init__(self, title: str, clock=time.monotonic):
        self._title, self._clock = title, clock
        self._printed = clock()

    def show(self, row, epochs: int) -> None:
        """Prints a line, if it is time for one.

        Args:
            row: the row of the training curve, with `epoch`, `loss` and `accuracy`.
            epochs: number of epochs.
        """
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

    Args:
        title: which task of how many.

    Yields:
        A function to call after each epoch with its row of the curve, and the number of epochs of
        all phases so far.
    """
    bar, lines = _bar("epochs  {task.fields[figures]}  left"), EpochLines(title)
    told = "not trained"

    def on_epoch(row, epochs):
        nonlocal told
        figures = f"loss {row['loss']:.3f}  accuracy {row['accuracy']:.3f}"
        told = f"{row['epoch']} epochs, training {figures}"
        bar.update(shown, completed=row["epoch"], total=epochs, figures=figures)
        if bar.disable:
            lines.show(row, epochs)

    with bar:
        shown = bar.add_task(title, total=None, figures="")
        yield on_epoch
    print(f"{title}: {told}", file=sys.stderr)


@contextlib.contextmanager
def image_progress(title: str, images: int):
    """Shows a bar on a terminal, and nothing elsewhere.

    Args:
        title: what is done with the images.
        images: number of images.

    Yields:
        A function to call after each image.
    """
    bar = _bar("images  left")
    with bar:
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
