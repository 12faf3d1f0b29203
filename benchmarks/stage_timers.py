"""Runs one script of the pipeline and notes where its time went: stage_timers.py SCRIPT [TASK].

It stands in for `python` in the commands of dvc.yaml, so tfcil needs no instrumentation. The times
are appended to the file $STAGE_TIMES, a line of JSON per process.
"""

import json
import os
import runpy
import sys
import time
from collections import Counter

# Looked up where they are called from, so the names are those of the callers' modules.
PHASES = {
    ("tfcil.stages.start", "untrained"): "build",
    ("tfcil.stages.train", "open_classifier"): "load",
    ("tfcil.stages.evaluate", "open_classifier"): "load",
    ("tfcil.classifier", "grown"): "build",
    ("tfcil.classifier", "expanded"): "build",
    ("tfcil.training.train", "make_engine"): "build",
    ("tfcil.training.train", "fit"): "fit",
    ("tfcil.classifier.inference", "_compiled"): "trace",
    ("tfcil.stages.train", "forward"): "predict",
    ("tfcil.classifier", "forward"): "predict",
    ("tfcil.stages.evaluate", "forward"): "predict",
    ("tfcil.stages.start", "save_classifier"): "save",
    ("tfcil.stages.train", "save_classifier"): "save",
}


class Stopwatch:
    """Gives every moment to one phase: the innermost that is running."""

    def __init__(self):
        self.seconds = Counter()
        self._phase, self._since = "other", time.perf_counter()

    def switch(self, phase):
        """Starts a phase; returns the one that was running."""
        now = time.perf_counter()
        self.seconds[self._phase] += now - self._since
        previous, self._phase, self._since = self._phase, phase, now
        return previous

    def timed(self, function, phase):
        """Returns the function with its time given to a phase."""

        def run(*args, **kwargs):
            previous = self.switch(phase)
            try:
                return function(*args, **kwargs)
            finally:
                self.switch(previous)

        return run


def main():
    watch = Stopwatch()
    watch.switch("import")
    import tfcil.stages.run as stages

    watch.switch("other")
    stages.stage = watch.timed(_importing(stages.stage, watch), "import")
    sys.argv = sys.argv[1:]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        watch.switch("other")
        line = {"command": " ".join(sys.argv), "cpu": time.process_time(), **watch.seconds}
        with open(os.environ["STAGE_TIMES"], "a") as file:
            file.write(json.dumps(line) + "\n")


def _importing(stage, watch):
    """Returns the function that imports a stage, with timers put into what it imported."""

    def imported(name):
        function = stage(name)
        # A stage of NumPy alone has none of these phases, and looking would load Keras.
        for (module, called), phase in PHASES.items() if "keras" in sys.modules else ():
            if module in sys.modules:
                original = getattr(sys.modules[module], called)
                if called == "make_engine":
                    original = _first_step_apart(original, watch)
                setattr(sys.modules[module], called, watch.timed(original, phase))
        return function

    return imported


def _first_step_apart(make_engine, watch):
    """Returns `make_engine` with an engine whose first step, traced and compiled, is a phase."""

    def make(training):
        engine = make_engine(training)
        step = engine.step

        def first_step(*batch):
            engine.step = step
            return watch.timed(step, "trace")(*batch)

        engine.step = first_step
        return engine

    return make


if __name__ == "__main__":
    main()
