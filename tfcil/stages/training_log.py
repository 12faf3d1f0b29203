"""Time, memory, versions and hardware of a task's training: logs/KEY.json.

It differs between two runs, so only the page of the report depends on it.
"""

import contextlib
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import PIL

import tfcil
from tfcil.errors import UserError
from tfcil.files import read_json, write_json
from tfcil.training.strategy import writes


class Stopwatch:
    """Measures a training, together with what came before a kill.

    Args:
        path: a JSON file, which keeps the seconds up to the last epoch; beside the checkpoint,
            because that has the same bytes in two runs.
        inputs: digest of all that decides the training; a file of another one is passed over.
    """

    def __init__(self, path, inputs):
        self._path, self._inputs = path, inputs
        self._date = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        before = 0.0, 0.0
        with contextlib.suppress(UserError, KeyError, TypeError):  # none, or a damaged one
            kept = read_json(path)
            before = kept["seconds"] if kept["inputs"] == inputs else before
        self._zero = [now - one for now, one in zip(_clocks(), before, strict=True)]

    def seconds(self) -> list[float]:
        """Returns the wall and the processor seconds."""
        return [round(now - zero, 3) for now, zero in zip(_clocks(), self._zero, strict=True)]

    def keep(self) -> None:
        """Writes the seconds, after an epoch; of several machines, the chief does."""
        if writes():
            write_json(self._path, {"inputs": self._inputs, "seconds": self.seconds()})

    def log(self, task: str, curve) -> dict:
        """Returns the contents of logs/KEY.json, for a task's key and the rows of its curve.

        `began` is the date of the training, or of its last start. `images` counts an image each
        time it passes through the network. `peak_memory_bytes` is that of the process, which in
        `tfcil run` has trained the tasks before, too.
        """
        wall, cpu = self.seconds()
        self._path.unlink(missing_ok=True)
        return {
            "task": task,
            "began": self._date,
            "seconds": wall,
            "cpu_seconds": cpu,
            "images": sum(row["images"] for row in curve),
            "peak_memory_bytes": _peak_memory(),
            "backend": keras.backend.backend(),
            "versions": versions(),
            "devices": devices(),
            "processor": f"{processor()}, {os.cpu_count()} cores",
            "system": f"{platform.system()} {platform.machine()}",
        }


def _clocks():
    return time.perf_counter(), time.process_time()


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux units of 1024 bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the libraries that compute a training, by name."""
    backend = sys.modules[keras.backend.backend()]
    return {
        "tfcil": tfcil.__version__,
        "python": platform.python_version(),
        backend.__name__: backend.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "pillow": PIL.__version__,
    }


def devices() -> list[str]:
    """Returns the names of the GPUs, or of the devices of JAX; `["CPU"]` if there are none."""
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.local_devices()]
    import tensorflow as tf

    about = tf.config.experimental.get_device_details
    gpus = tf.config.list_physical_devices("GPU")
    return [about(gpu).get("device_name", gpu.name) for gpu in gpus] or ["CPU"]


def processor() -> str:
    """Returns the name of this machine's processor."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
