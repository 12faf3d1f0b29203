"""A training step of this checkout against that of another one, such as an earlier commit.

    git worktree add /tmp/before HEAD~10
    python benchmarks/revisions.py /tmp/before --rounds 10 --steps 2

Two processes, with the same Python and packages, take the steps of `training_step.py` in turn, each
on one thread and with the code of its checkout. A ratio is this checkout's CPU time by the other's
in the same round, the median over the rounds: below 1, this one is faster.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

TITLES = {"cross-entropy": False, "with distillation": True}


class Checkout:
    """A process that takes training steps with the code of a checkout, when it is told to.

    Args:
        root: the checkout.
        distil: whether there is a teacher.
        steps: how many it takes at a time.
    """

    def __init__(self, root, distil, steps):
        paths = os.pathsep.join((str(root), str(root / "benchmarks")))
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(int(distil)), "--steps", str(steps)],
            env=os.environ | {"PYTHONPATH": paths, "TF_ENABLE_ONEDNN_OPTS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.take_steps()  # compiles, and fills caches

    def take_steps(self) -> float:
        """Takes some steps and returns the milliseconds of CPU time per image."""
        print("go", file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self):
        """Ends the process."""
        self._process.communicate()


def serve(distil, steps):
    """Takes steps for each line of the standard input, and prints the milliseconds per image."""
    # Of the checkout: PYTHONPATH comes after the folder of this script.
    sys.path.pop(0)
    import training_step

    from tfcil.training import make_deterministic

    training_step._limit(1)
    make_deterministic()
    settings = training_step.Settings()
    tfcil = training_step.competitors(distil, settings)["tfcil"]
    for _ in sys.stdin:
        began = time.process_time()
        tfcil.run(steps)
        seconds = time.process_time() - began
        print(1000 * seconds / steps / settings.batch_size, flush=True)


def compare(options):
    """Prints a table per title."""
    import reporting

    roots = {"this": reporting.ROOT, "other": options.other.resolve()}
    for title, distil in TITLES.items():
        checkouts = {name: Checkout(root, distil, options.steps) for name, root in roots.items()}
        times = {name: np.empty(options.rounds) for name in roots}
        for index in range(options.rounds):
            # Neither always goes first.
            for name in list(roots)[:: -1 if index % 2 else 1]:
                times[name][index] = checkouts[name].take_steps()
        for checkout in checkouts.values():
            checkout.close()
        ratios = times["this"] / times["other"]
        row = {f"{name}: CPU ms/image": float(np.median(one)) for name, one in times.items()}
        row["ratio"] = round(float(np.median(ratios)), 3)
        row["middle half"] = " to ".join(f"{one:.3f}" for one in np.quantile(ratios, (0.25, 0.75)))
        reporting.show(f"{title} (ratio below 1: this checkout is faster)", [row])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("other", type=Path, nargs="?", help="the other checkout")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2, help="steps of each per round")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        serve(bool(options.serve), options.steps)
    elif options.other:
        compare(options)
    else:
        parser.error("expected the other checkout")


if __name__ == "__main__":
    main()
