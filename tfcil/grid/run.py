"""Runs the unfinished runs of a grid, and writes its page."""

import contextlib
import fcntl
import os
import sys
import time
from functools import partial
from pathlib import Path

from tfcil.errors import UserError, nearest
from tfcil.grid.kept import keep, records_of_bases, restore, write_record
from tfcil.grid.page import write_page
from tfcil.grid.plan import (
    Run,
    base_of,
    code_of,
    code_of_base,
    data_of,
    load_grid,
    of_other_code,
    plan_runs,
)
from tfcil.grid.pool import Failure, Job, Pool
from tfcil.grid.worker import prepare_data, run_variant, train_base

BASES, DATA = ".bases", ".data"


def run_grid(
    file, workers: int | None = None, only=(), prepare: bool = False, recorded: bool = False
) -> bool:
    """Runs the unfinished runs of a grid file NAME.yaml in runs/NAME, and writes its page.

    Runs the variants `only`, by default all, in as many processes as `workers`, by default as many
    as there is room for, here or on the Ray cluster of RAY_ADDRESS. With `prepare`, only prepares
    their images. With `recorded`, the runs whose records lie next to the page are finished. Returns
    whether all of this is done now.
    """
    grid, folder = load_grid(file), Path("runs") / Path(file).stem
    if workers is not None and workers < 1:
        raise UserError(f"Expected at least one worker. Received: workers={workers}")
    for name in only:
        if name not in grid.runs:
            raise UserError(
                f"Expected a variant of {file}{nearest(name, grid.runs)}. Received: only={name}"
            )
    runs = plan_runs(grid, file, folder)
    if recorded:
        restore(grid, runs)
    wanted = [run for run in runs if run.variant in (only or grid.runs)]
    missing = [run for run in wanted if run.params and not run.finished]
    print(f"{len(wanted)} runs, {len(wanted) - len(missing)} of them finished or refused")

    def keep_records():
        kept = records_of_bases(grid, runs, folder / BASES)
        keep(grid, runs, kept)
        return kept.values()

    if of_other_code(runs, keep_records()):
        print(f"finished by another version of the code; without {folder}/ they are done again")
    if missing:
        bases = {run: folder / BASES / base_of(run.params) for run in missing}
        data = {run: folder / DATA / data_of(run.params) for run in missing}
        with _alone(folder), _pool(workers, len(missing), folder, grid.resources) as pool:
            possible = _with_data(pool, missing, data)
            if prepare:
                return len(possible) == len(missing)
            possible = _with_bases(pool, possible, bases, data)
            _run_variants(pool, possible, data, bases, keep_records)
    write_page(grid, runs, f"tfcil grid {file}", keep_records())
    print(f"{grid.output}.md, {grid.output}.png")
    failed = [run for run in wanted if not run.finished]
    for run in failed:
        print(f"failed: {_name(run)}: {run.record()['failed']}", file=sys.stderr)
    return not failed


@contextlib.contextmanager
def _alone(folder):
    """Refuses to go on while another command runs the same grid: runs share folders."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "Expected no other `tfcil grid` that runs this grid; one call takes several "
                f"--only. Received: {folder} in use"
            ) from None
        yield


@contextlib.contextmanager
def _pool(workers, jobs, folder, resources):
    """Opens the pool: on the Ray cluster of RAY_ADDRESS, or on this machine."""
    try:
        if os.environ.get("RAY_ADDRESS"):
            from tfcil.grid.ray_pool import RayPool

            opened = RayPool(workers, resources.threads, resources.gpus)
        else:
            room = max(1, _cores() // resources.threads)
            opened = Pool(min(workers or room, jobs), folder, resources.threads)
        with opened as pool:
            yield pool
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        sys.exit(130)


def _with_data(pool, runs, data) -> list[Run]:
    """Prepares the images that runs share; returns the runs that have theirs."""

    def job(run):
        return Job(partial(prepare_data, data[run], run.text), writes=data[run])

    return _shared(pool, "images", runs, data, job)


def _with_bases(pool, runs, bases, data) -> list[Run]:
    """Trains the first tasks that runs share; returns the runs that have theirs."""

    def job(run):
        work = partial(train_base, bases[run], run.text, data[run], code_of_base(run))
        return Job(work, reads=(data[run],), writes=bases[run])

    return _shared(pool, "first task", runs, bases, job)


def _shared(pool, title, runs, folders, job) -> list[Run]:
    """Makes folders that runs share; returns the runs that lack none.

    `folders` has that of each run, `job` is a function of a run that returns the job that makes it.
    """
    sharing = {folders[run]: run for run in runs if not folders[run].exists()}
    jobs = [(one, job(run)) for one, run in sharing.items()]
    broken = {}
    for number, (one, outcome) in enumerate(pool.run(jobs), 1):
        if isinstance(outcome, Failure):
            broken[one] = outcome
        result = f"failed: {outcome.line}" if one in broken else f"{outcome:.0f} s"
        print(f"[{title} {number} of {len(jobs)}] {result}", flush=True)
    for run in runs:
        if folders[run] in broken:
            _keep_failure(run, broken[folders[run]])
    return [run for run in runs if folders[run] not in broken]


def _run_variants(pool, runs, data, bases, after_each) -> None:
    def job(run):
        shared = data[run], bases[run]
        processes = pool.workers, pool.threads
        work = partial(run_variant, run.folder, run.text, *shared, code_of(run), *processes)
        return Job(work, reads=shared, writes=run.folder)

    jobs = [(run, job(run)) for run in runs]
    began = time.perf_counter()
    for number, (run, outcome) in enumerate(pool.run(jobs), 1):
        if isinstance(outcome, Failure):
            _keep_failure(run, outcome)
            result = f"failed: {outcome.line}"
        else:
            metrics = outcome["metrics"]
            result = (
                f"AIA {metrics['average_incremental_accuracy']:.3f}, "
                f"last {metrics['last_accuracy']:.3f}, {outcome['seconds']:.0f} s"
            )
        after_each()
        left = (time.perf_counter() - began) / number * (len(runs) - number) / 60
        position = f"[{number} of {len(runs)}]"
        print(f"{position} {_name(run)}: {result}; about {left:.0f} minutes left", flush=True)


def _keep_failure(run: Run, failure: Failure) -> None:
    """Records the failure for the page; the next call of `run_grid` tries the run again."""
    write_record(run, {"failed": failure.line})


def _name(run: Run) -> str:
    return f"{run.variant}, seed {run.seed}"


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
