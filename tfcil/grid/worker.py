"""What a worker process does: the first task that variants share, and whole runs."""

import csv
import functools
import os
import shutil
import time
from pathlib import Path

from tfcil.config.params import load_params
from tfcil.files import read_json, write_atomically, write_json
from tfcil.grid.plan import record_of
from tfcil.stages.layout import Layout
from tfcil.stages.run import LAST, ONCE, PER_TASK, stage

# `stage` takes what is alive out of garbage collection, which must not happen again and again in
# a process that lives long: each run's models would stay.
_stage = functools.cache(stage)


def train_base(folder, text: str, code: str) -> float:
    """Prepares the data and trains the first task, which variants share.

    Args:
        folder: it appears when all is done.
        text: params.yaml of one of the variants.
        code: digest of the code, kept in the record.

    Returns:
        The seconds it took.
    """
    _load_stages()
    began = time.perf_counter()
    with write_atomically(folder) as aside:
        layout, params = _open(aside, text)
        for name in ONCE:
            _stage(name)(layout, params)
        _stage("train")(layout, params, next(iter(params.tasks)))
        seconds = time.perf_counter() - began
        write_json(record_of(aside), {"seconds": seconds, "code": code})
    return seconds


def run_variant(folder, text: str, base, code: str, workers: int) -> dict:
    """Runs a whole chain but for what the variants share.

    Args:
        folder: it appears when all is done.
        text: its params.yaml.
        base: the folder of `train_base`.
        code: digest of the code, kept in the record.
        workers: how many processes share the machine, kept in the record.

    Returns:
        The record.
    """
    _load_stages()
    began = time.perf_counter()
    with write_atomically(folder) as aside:
        layout, params = _open(aside, text)
        _link_base(Path(base), layout)
        _stage("recipes")(layout, params)
        wall = cpu = 0.0
        first, *increments = params.tasks
        for key in params.tasks:
            for name in PER_TASK:
                if (name, key) == ("train", first):
                    continue
                before = time.perf_counter(), time.process_time()
                _stage(name)(layout, params, key)
                if name == "train":
                    wall += time.perf_counter() - before[0]
                    cpu += time.process_time() - before[1]
        for name in LAST:
            _stage(name)(layout, params)
        record = {
            "metrics": read_json(layout.metrics),
            "sample_passes": sum(images_seen(layout.curve(key)) for key in increments),
            "train_seconds": {"wall": wall, "cpu": cpu},
            "seconds": time.perf_counter() - began,
            "base": Path(base).name,
            "workers": workers,
            "machine": _machine(),
            "code": code,
        }
        write_json(record_of(aside), record)
    return record


def _load_stages() -> None:
    for name in (*ONCE, *PER_TASK, *LAST):
        _stage(name)


def _open(folder, text):
    """Begins a folder with its params.yaml."""
    folder.mkdir()
    layout = Layout.of(folder)
    layout.params.write_text(text, encoding="utf-8")
    return layout, load_params(layout.params)


def _link_base(base, layout) -> None:
    """Takes over all that the variants share; stages replace files, so a link is never written."""
    own = (layout.params, layout.recipe("").parent, record_of(layout.root))
    names = shutil.ignore_patterns(*(path.name for path in own))
    shutil.copytree(base, layout.root, ignore=names, copy_function=_link, dirs_exist_ok=True)


def _link(source, target) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def images_seen(curve) -> int:
    """Counts the images that a task's training went through, all its phases together.

    Args:
        curve: curves/KEY.csv; the column `images` counts those of a row.
    """
    with open(curve, newline="", encoding="utf-8") as file:
        return sum(int(float(row["images"])) for row in csv.DictReader(file))


def _machine() -> str:
    """What the seconds were measured on."""
    import keras
    import tensorflow as tf

    gpus = [
        tf.config.experimental.get_device_details(gpu)["device_name"]
        for gpu in tf.config.get_visible_devices("GPU")
    ]
    versions = f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    return ", ".join([_processor(), f"{os.cpu_count()} cores", *gpus, versions])


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown processor"
