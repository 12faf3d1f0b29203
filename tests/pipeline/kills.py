"""Kills a small experiment again and again until it has run to its end, and compares what it made.

    python tests/pipeline/kills.py --kills 30 --seed 0 [--command "tfcil run"]

Each kill hits at a random moment: the whole process group, or the process that works at that moment
alone, by SIGKILL, or the group by SIGINT as Ctrl-C does. Prints a line per kill and the comparison
with an experiment that was left alone; exit status 1 where a file differs.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tiny_project import PARAMS, contents, create

RECIPE = {"epochs": 6, "batch_size": 8, "learning_rate": 0.05, "crop_padding": 2}
# Two phases per task, and a coefficient that is learned: everything that has a state.
SETTINGS = PARAMS | {
    "tasks": PARAMS["tasks"] | {"02": {"classes": 3, "after": "01", "recipe": "increment"}},
    "model": {"backbone": "simple_cnn", "last_relu": False},
    "method": {"name": "lucir", "loss": "meta_bsce", "correction": "balanced_finetuning"},
    "options": {"balanced_finetuning": {"epochs": 6}},
    **{name: dict(RECIPE) for name in ("base", "increment")},
}
WAYS = ("group", "worker", "interrupt")


def end(process, way):
    """Ends a running command in one of the ways."""
    if way == "worker":
        youngest = _youngest_child(process.pid)
        if youngest is not None:
            os.kill(youngest, signal.SIGKILL)
        process.wait(timeout=120)
        return
    os.killpg(process.pid, signal.SIGINT if way == "interrupt" else signal.SIGKILL)
    try:
        process.wait(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _youngest_child(pid):
    """The last process in the chain of children: the stage that works."""
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            return pid
        pid = int(children[-1])


def run_to_the_end(project, command, kills, generator, longest):
    """Runs a command until it ends by itself, killing it `kills` times on the way.

    Returns:
        The seconds after which each kill hit, and the way.
    """
    done = []
    while True:
        process = subprocess.Popen(
            command,
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # A shell has its background jobs ignore Ctrl-C, and their children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        with process:
            if len(done) < kills:
                moment, way = generator.uniform(0.5, longest), generator.choice(WAYS)
                try:
                    process.wait(timeout=moment)
                except subprocess.TimeoutExpired:
                    end(process, way)
                    assert process.returncode != 0, f"survived {way} after {moment} s"
                    done.append((round(moment, 2), way))
                    continue
            printed, _ = process.communicate()
        assert process.returncode == 0, printed
        return done


def deterministic(folder):
    """The files that are the same in every run: all but what tells of times."""
    files = contents(folder)
    return {
        name: files[name]
        for name in files
        if not name.startswith("logs") and name != str(Path("report", "report.html"))
    }


def settings(project):
    """Puts the settings of this experiment in place."""
    project.change(SETTINGS)
    return project


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", default="dvc repro")
    options = parser.parse_args()
    generator, command = random.Random(options.seed), options.command.split()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        origin = create(folder / "origin", folder)
        whole = settings(origin.clone(folder / "whole"))
        began = time.perf_counter()
        run_to_the_end(whole, command, 0, generator, 0)
        longest = time.perf_counter() - began
        print(f"left alone: {longest:.0f} s", flush=True)
        expected = deterministic(whole.folder)
        survived, rounds = 0, 0
        while survived < options.kills:
            rounds += 1
            project = settings(origin.clone(folder / f"killed{rounds}"))
            # More often than not within the first third: several kills per experiment.
            left = options.kills - survived
            done = run_to_the_end(project, command, min(6, left), generator, longest / 3)
            survived += len(done)
            found = deterministic(project.folder)
            different = sorted(
                name
                for name in expected.keys() | found.keys()
                if expected.get(name) != found.get(name)
            )
            print(f"killed {done}: {len(found)} files, {len(different)} differ", flush=True)
            if different:
                sys.exit(f"different: {different}")
    print(f"{survived} kills in {rounds} experiments: every file as in the one left alone")


if __name__ == "__main__":
    main()
