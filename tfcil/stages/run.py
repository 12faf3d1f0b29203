"""Runs the stages of an experiment: DVC calls one by one, `tfcil run` all in one process."""

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
    shared = name == "train" and params.strategy == "multi_worker"
    with member(RollCall(_as_chief(), *key)) if shared else contextlib.nullcontext():
        stage(name)(layout, params, *key)


def take_part(root=".", patience: float | None = None) -> None:
    """Trains one task in step with the chief, as a worker under `strategy: multi_worker`.

    Args:
        root: folder with params.yaml; the chief's, under whatever name it has here.
        patience: seconds after which a chief is no longer waited for; `None`: never.

    Raises:
        UserError: where no chief comes, another process is lost, or the folder is not the chief's.
    """
    cluster = _as_worker()
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


def _as_chief() -> Cluster:
    cluster = Cluster.here()
    if not cluster.is_chief:
        raise UserError(
            "Expected the chief of TF_CONFIG; the others run `tfcil worker`. "
            f"Received: {cluster.name(cluster.index)}"
        )
    return cluster


def _as_worker() -> Cluster:
    cluster = Cluster.here()
    if cluster.is_chief:
        raise UserError(
            "Expected a worker of TF_CONFIG; the chief runs `dvc repro` or `tfcil run`. "
            f"Received: {cluster.name(0)}"
        )
    return cluster


def run_all(root=".") -> None:
    """Runs the whole chain in this process; it writes what `dvc repro` writes, byte for byte.

    Under `strategy: multi_worker` each task is trained in a process of its own: TensorFlow connects
    the machines once per process.
    """
    layout = Layout.of(root)
    params = load_params(layout.params)
    shared = params.strategy == "multi_worker"
    if shared:
        _as_chief()
    for name in ONCE:
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
    status = subprocess.run(command, cwd=layout.root, check=False).returncode
    if status:
        # It has said why.
        sys.exit(1)
