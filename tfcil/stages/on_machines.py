"""Stage `train@KEY` on several machines, which share the project folder."""

import contextlib
import os
import platform
from functools import partial

from tfcil.cluster import membership
from tfcil.cluster.together import train_together
from tfcil.components.code import package_digest
from tfcil.config.params import load_params
from tfcil.errors import UserError
from tfcil.files import file_digest
from tfcil.stages.layout import Layout
from tfcil.stages.run import stage


def train_on_machines(layout: Layout, params, key: str) -> None:
    """Trains a task on as many machines of the Ray cluster as `machines` in params.yaml says."""
    root = layout.root.resolve()
    here = Layout(root)
    train_together(
        params.machines,
        work=partial(_train, root, key),
        facts=partial(facts, [here.params, here.recipe(key), here.model(params.tasks[key].after)]),
        progress=partial(_modified, here.checkpoint(key)),
        title=f"task {key}",
    )


def _train(root, key) -> None:
    """Does one machine's part of the training."""
    os.chdir(root)
    layout = Layout.of(".")
    params = load_params(layout.params)
    if not membership().is_chief:
        params = params.model_copy(update={"tensorboard": None})
    stage("train")(layout, params, key)


def facts(files) -> dict[str, str]:
    """Returns what must be the same on all machines: versions, all code, and files by name."""
    try:
        digests = {file.name: file_digest(file)[:12] for file in files}
    except OSError as error:
        raise UserError(
            f"Expected the files of the project folder on every machine. Received: {error} "
            f"on {platform.node()}"
        ) from None
    stage("train")
    from tfcil.stages.training_log import versions

    return versions() | digests | {"code": package_digest()[:12]}


def _modified(path) -> int | None:
    """Returns when a file was last written, or `None` where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime_ns
    return None
