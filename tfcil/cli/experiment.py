"""Commands that run experiments and show their results: run, summary, compare, grid."""

import sys


def add(commands) -> None:
    """Adds the commands to the parser."""
    run = commands.add_parser("run", help="run the experiment of ./params.yaml without DVC")
    run.add_argument("--prepared", action="store_true", help="use the images in data/ as they are")
    run.set_defaults(run=_run)

    summary = commands.add_parser("summary", help="print the results of the experiment in ./")
    summary.set_defaults(run=_summary)

    compare = commands.add_parser("compare", help="compare two experiments: a table and a page")
    about = "a Git revision, tag, branch, DVC experiment or folder; . is the current folder"
    compare.add_argument("revisions", nargs=2, metavar="REV", help=about)
    compare.add_argument("--output", default="compare.html", help="the page (default: %(default)s)")
    compare.set_defaults(run=_compare)

    grid = commands.add_parser("grid", help="run the unfinished runs of a grid, and write its page")
    grid.add_argument("file", help="the grid file, such as pipelines/grids/omniglot100.yaml")
    grid.add_argument("--workers", type=int, help="runs at a time (as many as have room)")
    grid.add_argument("--only", action="append", default=[], metavar="NAME", help="this variant")
    grid.add_argument("--prepare", action="store_true", help="only prepare the images of the runs")
    about = "take the runs whose records lie next to the page as finished: those of a commit"
    grid.add_argument("--recorded", action="store_true", help=about)
    grid.set_defaults(run=_grid)


def _run(options) -> None:
    from tfcil.stages.run import run_all

    run_all(prepared=options.prepared)
    _summary(options)


def _summary(options) -> None:
    from tfcil.config.params import load_params
    from tfcil.report.experiment import read_results
    from tfcil.report.summary import print_summary
    from tfcil.stages.layout import Layout

    layout = Layout()
    print_summary(read_results(layout, load_params(layout.params).tasks), layout)


def _compare(options) -> None:
    import tempfile
    from pathlib import Path

    from tfcil.files import write_atomically
    from tfcil.report.compare.comparison import Comparison
    from tfcil.report.compare.page import comparison_page, print_comparison
    from tfcil.report.compare.revisions import open_revision
    from tfcil.stages.layout import Layout

    names = tuple(options.revisions)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        pairs = zip(names, (Path(one), Path(other)), strict=True)
        comparison = Comparison(names, tuple(open_revision(*pair, Layout.of) for pair in pairs))
        with write_atomically(options.output) as aside:
            aside.write_text(comparison_page(comparison), encoding="utf-8")
        print_comparison(comparison, options.output)


def _grid(options) -> None:
    from tfcil.grid.run import run_grid

    if not run_grid(options.file, options.workers, options.only, options.prepare, options.recorded):
        sys.exit(1)
