"""The command `tfcil`: one file per group of commands, each adds its own to the parser."""

import argparse
import os
import sys

from tfcil.cli import experiment, model, project, settings, worker
from tfcil.errors import UserError


def main(arguments=None) -> None:
    """Runs the command line; a mistake of the person is told in one line."""
    whole = parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(whole)
    options = whole.parse_args(arguments)
    _tell_in_one_line(options.debug, options.run, options)


def main_of_stage(name: str) -> None:
    """Runs one stage of the pipeline in the current folder: `python pipelines/NAME.py [TASK]`."""
    from tfcil.stages.run import run_stage

    _tell_in_one_line("TFCIL_DEBUG" in os.environ, run_stage, name, *sys.argv[1:])


def _tell_in_one_line(debug, function, *arguments) -> None:
    # TensorFlow's own messages would bury ours.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        function(*arguments)
    except BrokenPipeError:  # `tfcil ... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print("interrupted: the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if debug:
            raise
        told = " ".join(str(error).split())
        if not isinstance(error, (UserError, OSError)):
            told = f"{type(error).__name__}: {told} (unexpected: tfcil --debug shows where)"
        print(f"error: {told}", file=sys.stderr)
        sys.exit(1)


def parser() -> argparse.ArgumentParser:
    """Makes the parser of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="tfcil",
        description="Teaches a Keras image classifier new classes without forgetting the old ones.",
    )
    whole.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for group in (project, settings, experiment, model, worker):
        group.add(commands)
    return whole
