"""The stages of an experiment: files in, files out. DVC calls one by one, `tfcil run` all."""

import gc
import importlib

from tfcil.console import native_messages_hidden
from tfcil.errors import UserError
from tfcil.params import load_params
from tfcil.stages.layout import Layout

ONCE = ("prepare", "recipes", "start")
PER_TASK = ("train", "select", "evaluate")
LAST = ("report",)


def stage(name: str):
    """Returns the function of a stage; only its own imports are loaded.

    Most stages need NumPy alone, and importing TensorFlow takes seconds.
    """
    # Looking for garbage among a million objects that stay would take as long as the import.
    gc.disable()
    try:
        with native_messages_hidden():
            module = importlib.import_module(f"tfcil.stages.{name}")
    finally:
        gc.enable()
        gc.freeze()
    return getattr(module, name)


def run_stage(name: str, *key: str, root=".") -> None:
    """Runs one stage on the experiment in a folder.

    Args:
        name: the stage.
        key: the task, for the stages that there are per task.
        root: folder with params.yaml.

    Raises:
        UserError: where params.yaml is wrong, whatever part of it the stage reads.
    """
    layout = Layout.of(root)
    params = load_params(layout.params)
    for one in key:
        if one not in params.tasks:
            raise UserError(f"Expected a task of params.yaml. Received: task={one}")
    stage(name)(layout, params, *key)


def run_all(root=".") -> None:
    """Runs the whole chain in this process; it writes what `dvc repro` writes, byte for byte."""
    layout = Layout.of(root)
    params = load_params(layout.params)
    for name in ONCE:
        stage(name)(layout, params)
    for key in params.tasks:
        for name in PER_TASK:
            stage(name)(layout, params, key)
    for name in LAST:
        stage(name)(layout, params)
