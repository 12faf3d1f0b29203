"""Runs `dvc repro` in a fresh clone, with every stage's process under `stage_timers.py`."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reporting import ROOT

PHASES = ("import", "load", "build", "trace", "fit", "predict", "save", "other")


def timed_repro(params=None) -> dict:
    """Clones the repository's last commit, runs its pipeline and times it.

    Args:
        params: a params.yaml to run instead of the committed one.

    Returns:
        `wall` and `cpu` seconds of `dvc repro` with all its processes, and `processes`: for each
        stage its `command`, `cpu`, `wall`, and the wall seconds of each phase.
    """
    with tempfile.TemporaryDirectory() as folder:
        clone, times = Path(folder, "clone"), Path(folder, "times")
        subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
        if params:
            shutil.copyfile(params, clone / "params.yaml")
        environment = os.environ | {
            "PATH": f"{_python_under_timers(Path(folder, 'bin'))}:{os.environ['PATH']}",
            "PYTHONPATH": str(clone),
            "STAGE_TIMES": str(times),
        }
        before, cpu_before = time.perf_counter(), _cpu_of_children()
        subprocess.run(
            [sys.executable, "-m", "dvc", "repro"], cwd=clone, env=environment, check=True
        )
        wall, cpu = time.perf_counter() - before, _cpu_of_children() - cpu_before
        processes = [_process(json.loads(line)) for line in times.read_text().splitlines()]
    return {"wall": round(wall, 2), "cpu": round(cpu, 2), "processes": processes}


def total(processes, phase) -> float:
    """Adds a phase up over all processes."""
    return round(sum(process[phase] for process in processes), 2)


def by_stage(processes) -> list[dict]:
    """Adds the processes of each stage up: one row per stage, in the order they first ran."""
    rows = {}
    for process in processes:
        stage = Path(process["command"].split()[0]).stem
        rows.setdefault(stage, []).append(process)
    columns = ("wall", "cpu", *PHASES)
    return [
        {"stage": stage, "starts": len(own), **{column: total(own, column) for column in columns}}
        for stage, own in rows.items()
    ]


def _python_under_timers(folder):
    folder.mkdir()
    python = folder / "python"
    timers = Path(__file__).with_name("stage_timers.py")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{timers}" "$@"\n')
    python.chmod(0o755)
    return folder


def _process(times):
    phases = {phase: round(times.get(phase, 0.0), 2) for phase in PHASES}
    wall = round(sum(phases.values()), 2)
    return {"command": times["command"], "wall": wall, "cpu": round(times["cpu"], 2), **phases}


def _cpu_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
