"""Time, memory, versions and hardware of a task's training: logs/KEY.json.

It differs between two runs, so only the page of the report depends on it.
"""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np
import PIL

import tfcil


def date_of_now() -> str:
    """Returns date and time of day."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def training_log(task: str, began: str, seconds, curve) -> dict:
    """Returns the contents of logs/KEY.json.

    `images` counts an image each time it passes through the network. `peak_memory_bytes` is that
    of the process, which in `tfcil run` has trained the tasks before, too.

    Args:
        task: its key.
        began: when its training began, or went on after a kill.
        seconds: wall and processor seconds of the training.
        curve: the rows of its curve.
    """
    wall, cpu = seconds
    return {
        "task": task,
        "began": began,
        "seconds": round(wall, 3),
        "cpu_seconds": round(cpu, 3),
        "images": sum(row["images"] for row in curve),
        "peak_memory_bytes": _peak_memory(),
        "backend": keras.backend.backend(),
        "versions": versions(),
        "devices": devices(),
        "processor": f"{processor()}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.machine()}",
    }


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
