"""Decides whether a task must be trained, or is trained already.

A training depends on its settings, its images, the model and the memory before, the code of the
stage and of its components, and the libraries and threads that compute it. logs/KEY.json holds the
digest of all these inputs and of the files written; a checkpoint holds the digest of the inputs.
"""

import hashlib
import os
import platform

from tfcil.components.code import code_digest
from tfcil.errors import UserError
from tfcil.files import file_digest, read_json
from tfcil.stages.training_log import versions

_SETTINGS = (
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"),
    *("XLA_FLAGS", "NPROC", "TF_ENABLE_ONEDNN_OPTS"),
)


def inputs_digest(layout, params, key: str) -> str:
    """Computes the digest of everything that a task's training depends on."""
    before = params.tasks[key].after
    files = [layout.recipe(key), layout.model(before), layout.memory(before)]
    files.append(layout.statistics(before))
    surroundings = [
        code_digest("tfcil.stages.train"),  # that of the components is in the settings
        *(f"{name}={version}" for name, version in versions().items()),
        *(platform.machine(), str(os.cpu_count())),
        *(f"{name}={os.environ.get(name)}" for name in _SETTINGS),
    ]
    parts = [*surroundings, *map(_digest, files), images_digest(layout, key)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def images_digest(layout, key: str) -> str:
    """Computes the digest of the prepared training images of a task, and of their labels."""
    files = sorted(layout.train_images(key).glob("*"))
    whole = [f"{file.name}\0{_digest(file)}" for file in files]
    return hashlib.sha256("\0".join(whole).encode()).hexdigest()


def outputs_digests(layout, key: str) -> dict[str, str]:
    """Computes the digest of each file that a training writes, by name; its log is left out."""
    written = (layout.model, layout.class_names, layout.features, layout.statistics, layout.curve)
    files = [path(key) for path in written]
    return {file.relative_to(layout.root).as_posix(): _digest(file) for file in files}


def is_finished(layout, key: str, inputs: str) -> bool:
    """Tells whether a task was trained from the inputs of this digest, and its files are intact."""
    try:
        log = read_json(layout.log(key))
        return (log["inputs"], log["outputs"]) == (inputs, outputs_digests(layout, key))
    except (UserError, KeyError, TypeError):
        return False


def _digest(path) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise UserError(
            f"Expected a file of an earlier stage ({error.strerror}). Received: path={path}"
        ) from None
