"""Runs the stages of an experiment: one at a time for DVC, or all of them for `tfcil run`."""

import gc
import importlib

from tfcil.cluster.connect import connect
from tfcil.config.params import load_params
from tfcil.console import native_messages_hidden
from tfcil.errors import UserError
from tfcil.stages.layout import Layout

ONCE = ("prepare", "recipes", "start")
PER_TASK = ("train", "select", "evaluate")
LAST = ("report",)


def stage(name: str):
    """Imports one stage and returns its function.

    The other stages stay unloaded: most need NumPy only, and importing TensorFlow takes seconds.
    """
    # A garbage collection among a million objects that stay takes as long as the import.
    gc.disable()
    try:
        with native_messages_hidden():
            module = importlib.import_module(f"tfcil.stages.{name}")
    finally:
        gc.enable()
        gc.freeze()
    return getattr(module, name)


def run_stage(name: str, *key: str, root=".") -> None:
    """Runs one stage on the experiment in `root`; `key` is the task of a stage per task.

    Raises:
        UserError: where any part of params.yaml is wrong, also one that the stage does not read.
    """
    layout = Layout.of(root)
    params = load_params(layout.params)
    for one in key:
        if one not in params.tasks:
            raise UserError(f"Expected a task of params.yaml. Received: task={one}")
    _run(name, layout, params, *key)


def _run(name, layout, params, *key):
    """Runs a stage: in this process, or the training on several machines."""
    if name == "train" and params.machines > 1:
        from tfcil.stages.on_machines import train_on_machines

        train_on_machines(layout, params, *key)
    else:
        stage(name)(layout, params, *key)


def run_all(root=".", prepared: bool = False) -> None:
    """Runs all stages in this process; they write the same bytes as under `dvc repro`.

    With `prepared`, the images in data/ are used as they are: the stage prepare is left out.
    """
    layout = Layout.of(root)
    params = load_params(layout.params)
    if params.machines > 1:
        connect()  # what is wrong there is told before any work
    for name in ONCE:
        if name != "prepare" or not prepared:
            _run(name, layout, params)
    for key in params.tasks:
        for name in PER_TASK:
            _run(name, layout, params, key)
    for name in LAST:
        _run(name, layout, params)
