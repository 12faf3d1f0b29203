"""What training a task took and with what it was done: logs/KEY.json.

Nothing depends on it but the page of the report: it is not the same in two runs.
"""

import os
import platform
import sys
import time
from datetime import UTC, datetime

import keras
import numpy as np

import tfcil


class Stopwatch:
    """Knows when a training began.

    Attributes:
        began: date and time in UTC.
    """

    def __init__(self):
        self.began = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self._start = time.perf_counter()

    def log(self, task: str, curve) -> dict:
        """Returns the contents of logs/KEY.json.

        Args:
            task: its key.
            curve: the rows of its training curve.

        Returns:
            `task`; `began`; `seconds` of the training; `images` that passed through the network,
            each as often as it did; `peak_memory_bytes`, the most main memory that the process has
            held until now (in `tfcil run` it has trained the tasks before, too), or `None` where
            the system does not tell; `backend`; `versions`; `devices`; `processor`; `system`.
        """
        return {
            "task": task,
            "began": self.began,
            "seconds": round(time.perf_counter() - self._start, 3),
            "images": sum(row["images"] for row in curve),
            "peak_memory_bytes": _peak_memory(),
            "backend": keras.backend.backend(),
            "versions": versions(),
            "devices": _devices(),
            "processor": _processor(),
            "system": f"{platform.system()} {platform.machine()}",
        }


def _peak_memory() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in units of 1024 bytes, macOS in bytes.
    return peak if sys.platform == "darwin" else peak * 1024


def versions() -> dict[str, str]:
    """Returns the versions of all that a training is computed with, by name."""
    backend = sys.modules[keras.backend.backend()]
    return {
        "tfcil": tfcil.__version__,
        "python": platform.python_version(),
        backend.__name__: backend.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def _devices() -> list[str]:
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.local_devices()]
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return ["CPU"]
    about = tf.config.experimental.get_device_details
    return [about(device).get("device_name", device.name) for device in devices]


def _processor() -> str:
    name = platform.processor() or platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores"
