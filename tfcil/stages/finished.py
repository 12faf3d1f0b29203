"""Whether a task has to be trained, and where a killed training goes on.

A training is decided by its settings, its images, the model and the memory before, the code of the
stage and of its components, and the libraries and threads that compute it. logs/KEY.json holds the
digest of all that, beside the digests of the files that were written; so does the checkpoint of a
training that is not finished.
"""

import hashlib
import os
import platform

from tfcil.components.code import code_digest
from tfcil.errors import UserError
from tfcil.files import read_json
from tfcil.stages.training_log import versions

_SETTINGS = (
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"),
    *("XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS"),
)


def inputs_digest(layout, params, key: str) -> str:
    """Computes the digest of all that decides the training of a task.

    Args:
        layout: where the files lie.
        params: the whole params.yaml; only the chain of tasks is read.
        key: the task.
    """
    before = params.tasks[key].after
    files = [layout.recipe(key), layout.model(before), layout.memory(before)]
    files += sorted(layout.train_images(key).glob("*"))
    surroundings = [
        code_digest("tfcil.stages.train"),  # that of the components is in the settings
        *(f"{name}={version}" for name, version in versions().items()),
        *(platform.machine(), str(os.cpu_count())),
        *(f"{name}={os.environ.get(name)}" for name in _SETTINGS),
    ]
    whole = hashlib.sha256("\0".join(surroundings).encode())
    for file in files:
        whole.update(f"{file.name}\0{_digest(file)}\0".encode())
    return whole.hexdigest()


def outputs_digests(layout, key: str) -> dict[str, str]:
    """Computes the digest of each file that a training writes, but its log, by its name.

    Args:
        layout: where the files lie.
        key: the task.
    """
    files = (layout.model(key), layout.class_names(key), layout.features(key), layout.curve(key))
    return {file.relative_to(layout.root).as_posix(): _digest(file) for file in files}


def is_finished(layout, key: str, inputs: str) -> bool:
    """Tells whether a task was trained from just these inputs, and its files are as they were.

    Args:
        layout: where the files lie.
        key: the task.
        inputs: as `inputs_digest` gives it.
    """
    try:
        log = read_json(layout.log(key))
        return (log["inputs"], log["outputs"]) == (inputs, outputs_digests(layout, key))
    except (UserError, KeyError, TypeError):
        return False


def _digest(path) -> str:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(
            f"Expected what the stages before write ({error.strerror}). Received: path={path}"
        ) from None
