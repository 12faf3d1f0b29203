"""The command `tfcil`: each file adds a group of commands to the parser."""

import argparse
import os
import sys

from tfcil.cli import experiment, model, project, release, settings
from tfcil.errors import UserError


def main(arguments=None) -> None:
    """Runs the command line; an error is printed in one line."""
    whole = parser()
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(whole)
    options = whole.parse_args(arguments)
    _run_or_exit(options.debug, options.run, options)


def main_of_stage(name: str) -> None:
    """Runs one stage of the pipeline in the current folder: `python pipelines/NAME.py [TASK]`."""
    from tfcil.stages.run import run_stage

    _run_or_exit("TFCIL_DEBUG" in os.environ, run_stage, name, *sys.argv[1:])


def _run_or_exit(debug, function, *arguments) -> None:
    """Prints an error in one line and exits; with `debug`, raises it."""
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
        line = " ".join(str(error).split())
        if not isinstance(error, (UserError, OSError)):
            line = f"{type(error).__name__}: {line} (unexpected: tfcil --debug shows where)"
        print(f"error: {line}", file=sys.stderr)
        sys.exit(1)


def parser() -> argparse.ArgumentParser:
    """Builds the parser of the whole command line."""
    whole = argparse.ArgumentParser(
        prog="tfcil",
        description="Teaches a Keras image classifier new classes without forgetting the old ones.",
    )
    whole.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for group in (project, settings, experiment, model, release):
        group.add(commands)
    return whole
