"""The jobs of a worker process: to prepare data or train a first task for all, or a whole run."""

import contextlib
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
        with _timed() as spent:
            _stage("train")(layout, params, first)
        record = {
            "sample_passes": images_seen(layout.curve(first)),
            "train_seconds": spent,
            "seconds": time.perf_counter() - began,
            "code": code,
        }
        shutil.rmtree(layout.root / "data")
        write_json(record_of(layout.root), record)
    return record["seconds"]


def run_variant(folder, text: str, data, base, code: str, workers: int) -> dict:
    """Runs all stages but those that `prepare_data` has run in `data` and `train_base` in `base`.

    `code` and the number of `workers` on this machine go into the record, which is returned. The
    folder appears when everything is done.
    """
    with _experiment(folder, text) as (layout, params):
        began = time.perf_counter()
        for shared in (data, base):
            _link_shared(Path(shared), layout)
        _share_cache(Path(data), layout)
        _stage("recipes")(layout, params)
        spent = {"wall": 0.0, "cpu": 0.0}
        first, *increments = params.tasks
        for key in params.tasks:
            for name in PER_TASK:
                if (name, key) == ("train", first):
                    continue
                with _timed(spent if name == "train" else None):
                    _stage(name)(layout, params, key)
        for name in LAST:
            _stage(name)(layout, params)
        passes = sum(images_seen(layout.curve(key)) for key in increments)
        record = {
            "metrics": read_json(layout.metrics),
            "sample_passes": passes,
            "train_seconds": spent,
            "seconds": time.perf_counter() - began,
            "base": Path(base).name,
            "workers": workers,
            "machine": _machine(),
            "code": code,
        }
        if not increments:  # the first task is all there is
            shared = read_json(record_of(base))
            record |= {name: shared[name] for name in ("sample_passes", "train_seconds")}
        write_json(record_of(layout.root), record)
    return record


@contextlib.contextmanager
def _timed(spent=None):
    """Adds the seconds of a block to `spent`, by default to zeros, and yields it."""
    spent = {"wall": 0.0, "cpu": 0.0} if spent is None else spent
    before = time.perf_counter(), time.process_time()
    yield spent
    spent["wall"] += time.perf_counter() - before[0]
    spent["cpu"] += time.process_time() - before[1]


@contextlib.contextmanager
def _experiment(folder, text):
    """Yields layout and params of a new experiment, with all stages imported."""
    for name in (*ONCE, *PER_TASK, *LAST):
        _stage(name)
    with write_atomically(folder) as aside:
        layout = Layout(aside)
        aside.mkdir()
        layout.params.write_text(text, encoding="utf-8")
        yield layout, load_params(layout.params)


def _link_shared(folder, layout) -> None:
    """Links the files of a shared folder; stages replace files, so none writes into a link."""
    own = (layout.params, layout.recipe("").parent, record_of(layout.root), layout.cache)
    names = shutil.ignore_patterns(*(path.name for path in own))
    shutil.copytree(folder, layout.root, ignore=names, copy_function=_link, dirs_exist_ok=True)


def _share_cache(data, layout) -> None:
    """Gives all runs one cache of features, beside the folder with their images."""
    shared = data.parent.resolve().with_name(".cache")
    shared.mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # a file system without links: each run has its own
        layout.cache.symlink_to(shared, target_is_directory=True)


def _link(source, target) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def images_seen(curve) -> int:
    """Sums up the column `images` of curves/KEY.csv."""
    with open(curve, newline="", encoding="utf-8") as file:
        return sum(int(float(row["images"])) for row in csv.DictReader(file))


def _machine() -> str:
    """Describes what the seconds were measured on."""
    from keras.backend import backend

    from tfcil.stages.training_log import devices, processor, versions

    gpus = [name for name in devices() if name.upper() != "CPU"]
    named = {"tensorflow": "TensorFlow", "jax": "JAX"}
    found = versions()
    libraries = [f"{named[backend()]} {found[backend()]}", f"Keras {found['keras']}"]
    return ", ".join([processor(), f"{os.cpu_count()} cores", *gpus, *libraries])
