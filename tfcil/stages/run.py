"""Runs the stages of an experiment: one at a time for DVC, or all of them for `tfcil run`."""

import contextlib
import gc
import importlib
import subprocess
import sys

from tfcil.cluster import Cluster, MemberDone, RollCall, join, member
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
    shared = name == "train" and params.strategy == "multi_worker"
    with member(RollCall(_cluster(chief=True), *key)) if shared else contextlib.nullcontext():
        stage(name)(layout, params, *key)


def take_part(root=".", patience: float | None = None) -> None:
    """Trains one task together with the chief, as a worker under `strategy: multi_worker`.

    `root` is the chief's folder on this machine, `patience` the longest wait for the chief in
    seconds, by default for ever.

    Raises:
        UserError: where no chief comes, another process is lost, or the folder is not the chief's.
    """
    cluster = _cluster(chief=False)
    train = stage("train")  # takes seconds, which the chief's process takes as well
    team = join(cluster, patience)
    layout = Layout.of(root)
    try:
        params = load_params(layout.params).model_copy(update={"tensorboard": None})
        if team.task not in params.tasks:
            raise UserError(f"Expected the chief's params.yaml. Received: no task {team.task}")
        with member(team), contextlib.suppress(MemberDone):
            train(layout, params, team.task)
    except Exception as error:
        team.fail(error)
        raise


def _cluster(chief: bool) -> Cluster:
    """Reads TF_CONFIG, and checks whether this process is the chief."""
    cluster = Cluster.here()
    if cluster.is_chief != chief:
        expected = (
            "the chief of TF_CONFIG; the others run `tfcil worker`"
            if chief
            else "a worker of TF_CONFIG; the chief runs `dvc repro` or `tfcil run`"
        )
        raise UserError(f"Expected {expected}. Received: {cluster.name(cluster.index)}")
    return cluster


def run_all(root=".", prepared: bool = False) -> None:
    """Runs all stages in this process; they write the same bytes as under `dvc repro`.

    With `prepared`, the images in data/ are used as they are: the stage prepare is left out.
    Under `strategy: multi_worker` each task is trained in a new process: TensorFlow connects the
    machines once per process.
    """
    layout = Layout.of(root)
    params = load_params(layout.params)
    shared = params.strategy == "multi_worker"
    if shared:
        _cluster(chief=True)
    for name in ONCE:
        if name != "prepare" or not prepared:
            stage(name)(layout, params)
    for key in params.tasks:
        for name in PER_TASK:
            if name == "train" and shared:
                _train_apart(layout, key)
            else:
                stage(name)(layout, params, key)
    for name in LAST:
        stage(name)(layout, params)


def _train_apart(layout, key):
    command = [sys.executable, "-m", "tfcil", "stage", "train", key]
    if subprocess.run(command, cwd=layout.root, check=False).returncode:
        sys.exit(1)  # the process has printed the reason
