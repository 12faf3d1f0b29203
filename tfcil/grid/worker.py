"""The jobs of a worker process: to prepare data or train a first task for all, or a whole run."""

import contextlib
import functools
import os
import shutil
import time
from pathlib import Path

from tfcil.config.params import load_params
from tfcil.files import read_json, write_atomically, write_json
from tfcil.grid.parcels import link
from tfcil.grid.plan import record_of
from tfcil.stages.layout import Layout
from tfcil.stages.run import LAST, ONCE, PER_TASK, stage

# `stage` exempts all living objects from garbage collection: done before every run, that would keep
# the models of all runs in memory.
_stage = functools.cache(stage)


def prepare_data(folder, text: str) -> float:
    """Prepares the images that variants share, and returns the seconds.

    `text` is the params.yaml of one of the variants. The folder appears when everything is done.
    """
    with _experiment(folder, text) as (layout, params):
        began = time.perf_counter()
        _stage("prepare")(layout, params)
        seconds = time.perf_counter() - began
    return seconds


def train_base(folder, text: str, data, code: str) -> float:
    """Trains the first task, which variants share, and returns the seconds.

    `text` is the params.yaml of one of the variants, `data` the folder of its images, `code` a
    digest for the record. The folder appears when everything is done, without the images: later
    tasks of other variants may have others.
    """
    with _experiment(folder, text) as (layout, params):
        began = time.perf_counter()
        _link_shared(Path(data), layout)
        _share_cache(Path(data), layout)
        for name in ONCE:
            if name != "prepare":
                _stage(name)(layout, params)
        first = next(iter(params.tasks))
        _stage("train")(layout, params, first)
        # More if it was stopped.
        seconds = max(time.perf_counter() - began, read_json(layout.log(first))["seconds"])
        shutil.rmtree(layout.root / "data")
        write_json(record_of(layout.root), {"seconds": seconds, "code": code})
    return seconds


def run_variant(folder, text: str, data, base, code: str, workers: int, threads: int) -> dict:
    """Runs all stages but those that `prepare_data` has run in `data` and `train_base` in `base`.

    `code`, the number of `workers` and the `threads` of each go into the record, which is returned.
    The folder appears when everything is done.
    """
    with _experiment(folder, text) as (layout, params):
        began = time.perf_counter()
        for shared in (data, base):
            _link_shared(Path(shared), layout)
        _share_cache(Path(data), layout)
        _stage("recipes")(layout, params)
        first, *increments = params.tasks
        for key in params.tasks:
            for name in PER_TASK:
                if (name, key) != ("train", first):
                    _stage(name)(layout, params, key)
        for name in LAST:
            _stage(name)(layout, params)
        logs = [read_json(layout.log(key)) for key in increments or [first]]
        spent = {
            "wall": sum(log["seconds"] for log in logs),
            "cpu": sum(log["cpu_seconds"] for log in logs),
        }
        record = {
            "metrics": read_json(layout.metrics),
            "sample_passes": sum(log["images"] for log in logs),
            "train_seconds": spent,
            "seconds": max(time.perf_counter() - began, spent["wall"]),  # more if it was stopped
            "base": Path(base).name,
            "workers": workers,
            "threads": threads,
            "machine": _machine(),
            "code": code,
        }
        write_json(record_of(layout.root), record)
    return record


@contextlib.contextmanager
def _experiment(folder, text):
    """Yields layout and params of an experiment, with all stages imported.

    One of the same settings that was stopped goes on: its trainings know what is done.
    """
    for name in (*ONCE, *PER_TASK, *LAST):
        _stage(name)
    with write_atomically(folder, goes_on=True) as aside:
        layout = Layout(aside)
        if not layout.params.exists() or layout.params.read_text(encoding="utf-8") != text:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            layout.params.write_text(text, encoding="utf-8")
        yield layout, load_params(layout.params)


def _link_shared(folder, layout) -> None:
    """Links the files of a shared folder; stages replace files, so none writes into a link."""
    own = (layout.params, layout.recipe("").parent, record_of(layout.root), layout.cache)
    names = shutil.ignore_patterns(*(path.name for path in own))
    shutil.copytree(folder, layout.root, ignore=names, copy_function=link, dirs_exist_ok=True)


def _share_cache(data, layout) -> None:
    """Gives all runs one cache of features, beside the folder with their images."""
    shared = data.parent.resolve().with_name(".cache")
    shared.mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # a file system without links: each run has its own
        layout.cache.symlink_to(shared, target_is_directory=True)


def _machine() -> str:
    """Describes what the seconds were measured on."""
    from keras.backend import backend

    from tfcil.stages.training_log import devices, processor, versions

    gpus = [name for name in devices() if name.upper() != "CPU"]
    named = {"tensorflow": "TensorFlow", "jax": "JAX"}
    found = versions()
    libraries = [f"{named[backend()]} {found[backend()]}", f"Keras {found['keras']}"]
    return ", ".join([processor(), f"{os.cpu_count()} cores", *gpus, *libraries])
