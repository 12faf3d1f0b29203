"""A training step of this checkout against that of another one, such as an earlier commit.

    git worktree add /tmp/before HEAD~10
    python benchmarks/revisions.py /tmp/before --pairs 3 --threads 1 --rounds 4 --steps 2

Runs `benchmarks/training_step.py` of both in turn, each in a process of its own, with the same
Python and packages; it gets the arguments that are not explained here. A ratio is the CPU time of
one by that of the other checkout in the same pair of processes, the median over the pairs: below 1,
this one is faster.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import reporting

TITLES = ("cross-entropy", "with distillation")


def measured(root, arguments) -> dict:
    """Runs the benchmark of a checkout; returns the row of tfcil for each title."""
    result = root / "benchmarks" / "results" / "training_step.json"
    published = result.read_bytes()
    try:
        subprocess.run(
            [sys.executable, root / "benchmarks" / "training_step.py", *arguments],
            env=os.environ | {"PYTHONPATH": str(root), "TF_ENABLE_ONEDNN_OPTS": "1"},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        found = json.loads(result.read_text())
    finally:
        result.write_bytes(published)
    return {title: found[title][0] for title in TITLES}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--pairs", type=int, default=3, help="processes of each")
    options, arguments = parser.parse_known_args()
    found = {"this": [], "other": []}
    for pair in range(options.pairs):
        both = {"this": reporting.ROOT, "other": options.other.resolve()}
        # Neither always runs first.
        for name in list(both)[:: -1 if pair % 2 else 1]:
            found[name].append(measured(both[name], arguments))
    for title in TITLES:
        rows = [
            {"checkout": name, **_median(runs, title, found["other"])}
            for name, runs in found.items()
        ]
        reporting.show(f"{title} (ratio below 1: this checkout is faster)", rows)


def _median(runs, title, others) -> dict:
    """The medians over the processes, and over the ratios of the pairs."""
    cpu, other = (np.array([run[title]["CPU ms/image"] for run in each]) for each in (runs, others))
    speed = [run[title]["images/s"] for run in runs]
    return {
        "images/s": float(np.median(speed)),
        "CPU ms/image": float(np.median(cpu)),
        "CPU ratio": float(np.median(cpu / other)),
        "ratio of each pair": ", ".join(f"{ratio:.3f}" for ratio in cpu / other),
    }


if __name__ == "__main__":
    main()
