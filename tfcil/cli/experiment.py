"""Commands that run experiments and tell what they found: run, summary, grid."""

import sys


def add(commands) -> None:
    """Adds the commands to the parser."""
    run = commands.add_parser(
        "run", help="run the whole experiment of ./params.yaml in this process, without DVC"
    )
    run.set_defaults(run=_run)

    summary = commands.add_parser("summary", help="print the results of the experiment in ./")
    summary.set_defaults(run=_summary)

    grid = commands.add_parser("grid", help="run what is missing of a grid, and write its page")
    grid.add_argument("file", help="the grid file, such as pipelines/grids/omniglot100.yaml")
    grid.add_argument("--workers", type=int, help="processes of one thread each (one per core)")
    grid.add_argument("--only", action="append", default=[], metavar="NAME", help="this variant")
    grid.set_defaults(run=_grid)


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


def _grid(options) -> None:
    from tfcil.grid.run import run_grid

    if not run_grid(options.file, options.workers, options.only):
        sys.exit(1)
