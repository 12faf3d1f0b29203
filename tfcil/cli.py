"""The command `tfcil`."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from tfcil.errors import UserError


def main(arguments=None) -> None:
    """Runs the command line; a mistake of the person is told in one line."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _tell_in_one_line(options.debug, options.run, options)


def main_of_stage(name: str) -> None:
    """Runs one stage of the pipeline in the current folder: `python pipelines/NAME.py [TASK]`."""
    from tfcil.stages import run_stage

    _tell_in_one_line("TFCIL_DEBUG" in os.environ, run_stage, name, *sys.argv[1:])


def _tell_in_one_line(debug, function, *arguments) -> None:
    # TensorFlow's own messages would bury ours.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        function(*arguments)
    except (UserError, OSError) as error:
        if debug:
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfcil",
        description="Teaches a Keras image classifier new classes without forgetting the old ones.",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="run the whole experiment of ./params.yaml in this process, without DVC"
    )
    run.set_defaults(run=_run)

    summary = commands.add_parser("summary", help="print the results of the experiment in ./")
    summary.set_defaults(run=_summary)

    tasks = commands.add_parser("tasks", help="rewrite the tasks of ./params.yaml for a protocol")
    tasks.add_argument("--base", type=int, required=True, help="classes of the first task")
    tasks.add_argument("--increment", type=int, required=True, help="classes of each later task")
    tasks.add_argument("--total", type=int, default=100, help="classes of all tasks (100)")
    tasks.set_defaults(run=_tasks)

    preset = commands.add_parser("preset", help="put a preset in place as ./params.yaml")
    preset.add_argument("name", nargs="?", help="without a name: list the presets")
    preset.add_argument("--force", action="store_true", help="overwrite another params.yaml")
    preset.set_defaults(run=_preset)

    export = commands.add_parser("export", help="write a model in another form")
    export.add_argument("model", type=Path, help="a classifier: models/TASK.keras")
    export.add_argument(
        "--rule",
        choices=("nme",),
        required=True,
        help="nme: a model that predicts the nearest mean of exemplars, as iCaRL does",
    )
    export.add_argument("--memory", type=Path, required=True, help="memory/TASK.npz")
    export.add_argument("--output", type=Path, required=True, help="the .keras file to write")
    export.set_defaults(run=_export)

    grid = commands.add_parser("grid", help="run what is missing of a grid, and write its page")
    grid.add_argument("file", help="the grid file, such as pipelines/grids/omniglot100.yaml")
    grid.add_argument("--workers", type=int, help="processes of one thread each (one per core)")
    grid.add_argument("--only", action="append", default=[], metavar="NAME", help="this variant")
    grid.set_defaults(run=_grid)
    return parser


def _run(options) -> None:
    from tfcil.stages import run_all

    run_all()
    _summary(options)


def _summary(options) -> None:
    from tfcil.params import load_params
    from tfcil.report.tables import print_summary
    from tfcil.stages.layout import Layout
    from tfcil.stages.report import read_results

    layout = Layout()
    print_summary(read_results(layout, load_params(layout.params)), layout)


def _tasks(options) -> None:
    from tfcil.params_file import rewrite_tasks
    from tfcil.scenario import protocol
    from tfcil.stages.layout import Layout

    tasks = protocol(options.base, options.increment, options.total)
    rewrite_tasks(Layout().params, tasks)
    print(f"params.yaml: {len(tasks)} tasks, {options.total} classes")


def _export(options) -> None:
    from tfcil.classifier import open_classifier, save_classifier
    from tfcil.exemplars import ExemplarMemory
    from tfcil.export import nearest_mean_classifier

    memory = ExemplarMemory.load(options.memory)
    model = nearest_mean_classifier(open_classifier(options.model), memory)
    save_classifier(model, options.output)
    print(f"{options.output}: nearest mean of {len(memory.labels)} exemplars")


def _preset(options) -> None:
    from tfcil.params_file import find_preset, headline, presets

    if options.name is None:
        for name, file in presets().items():
            print(f"{name:32} {headline(file)}")
        return
    source, target = find_preset(options.name), Path("params.yaml")
    if target.exists() and not options.force and target.read_bytes() != source.read_bytes():
        raise UserError(
            "Expected no other params.yaml here; --force overwrites it. Received: params.yaml"
        )
    shutil.copyfile(source, target)
    print(f"params.yaml: {options.name}")


def _grid(options) -> None:
    from tfcil.grid.run import run_grid

    if not run_grid(options.file, options.workers, options.only):
        sys.exit(1)
