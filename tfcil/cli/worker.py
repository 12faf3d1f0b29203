"""The command `worker`, for the machines that train with a chief."""

import itertools
import signal
import subprocess
import sys

from tfcil.errors import UserError


def add(commands) -> None:
    """Adds the command to the parser."""
    worker = commands.add_parser("worker", help="train together with the chief of TF_CONFIG")
    worker.add_argument("--tasks", type=int, metavar="N", help="end after N tasks (never)")
    worker.add_argument("--patience", type=float, metavar="S", help="seconds to wait (for ever)")
    worker.set_defaults(run=_worker)


def _worker(options) -> None:
    for name in ("tasks", "patience"):
        value = getattr(options, name)
        if value is not None and value <= 0:
            raise UserError(f"Expected a positive number. Received: --{name}={value}")
    # TensorFlow connects the machines once per process.
    if options.tasks == 1:
        _train_one(options.patience)
    else:
        _train_one_after_the_other(options)


def _train_one(patience) -> None:
    from tfcil.stages.run import take_part

    # Python's own handler of Ctrl-C would not run while TensorFlow waits for the others.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    take_part(patience=patience)


def _train_one_after_the_other(options) -> None:
    command = [sys.executable, "-m", "tfcil", "worker", "--tasks", "1"]
    if options.patience:
        command += ["--patience", str(options.patience)]
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    for _ in itertools.count() if options.tasks is None else range(options.tasks):
        with subprocess.Popen(command) as process:
            try:
                status = process.wait()
            finally:
                process.kill()
        if status:
            sys.exit(1)  # the process has printed the reason
