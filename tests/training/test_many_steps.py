"""On JAX, many steps per call are the steps one by one, also where a call is not full.

The trainings run in one process with Keras on JAX: this file, which writes what they end with.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

# Steps per call; 0: images are sent to the device step by step, as where they don't fit on it.
WAYS = {
    "module:own_method/ce": (0, 3, 100),  # whose transform has a state
    "podnet/nca": (0, 3),  # two phases, both with a teacher and transforms
    "baseline/bsce": (0, 3),  # with OPTIONS: the side changes within an epoch
}
OPTIONS = {"flip": "alternating", "sides": [14, 28], "label_smoothing": 0.1, "ema": 0.3}
EPOCHS = 3  # of 4, 4 and 3 steps: 57 images in batches of 16

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs the extra `jax`")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    subprocess.run([sys.executable, __file__], cwd=folder, env=environment, check=True)
    with np.load(folder / "found.npz") as stored:
        return dict(stored)


def loops(run):
    """The ways in which the steps of a call are a loop."""
    return [way for way in WAYS[run] if way > 1]


@pytest.mark.parametrize("run", WAYS)
def test_many_steps_per_call_are_the_steps_one_by_one(found, run):
    """But for the last digit: XLA adds up in another order within a loop.

    The curve too: it has each step once, and none that only filled a call up.
    """
    expected, curve = found[f"{run} 0"], json.loads(str(found[f"{run} 0 curve"]))
    for way in WAYS[run][1:]:
        np.testing.assert_allclose(found[f"{run} {way}"], expected, rtol=0, atol=1e-6)
        for row, same in zip(json.loads(str(found[f"{run} {way} curve"])), curve, strict=True):
            assert row.pop("phase") == same["phase"]
            same = {name: same[name] for name in row}
            assert row == pytest.approx(same, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("run", WAYS)
def test_how_many_steps_a_call_takes_changes_no_bit(found, run):
    first, *others = loops(run)
    for way in others:
        np.testing.assert_array_equal(found[f"{run} {way}"], found[f"{run} {first}"])
        assert str(found[f"{run} {way} curve"]) == str(found[f"{run} {first} curve"])


@pytest.mark.parametrize("run", WAYS)
def test_killed_on_jax_it_ends_the_same(found, run):
    np.testing.assert_array_equal(found[f"{run} killed"], found[f"{run} {loops(run)[-1]}"])


class KilledError(Exception):
    """Stands for the end of the process."""


def weights(run, checkpoint=None, on_epoch=None):
    """Trains the second task; returns all weights in one array, and the curve."""
    from tiny_tasks import RECIPE, choice_of, first_task, images_of, task_settings

    from tfcil.learning.task import train_task

    changed = {"epochs": EPOCHS, "learning_rate": 0.02}
    changed |= OPTIONS if run == "baseline/bsce" else {}
    choice = choice_of(*run.split("/"), balanced_finetuning=changed)
    settings = task_settings(choice.later_task(), earlier=[4], recipe=RECIPE | changed)
    teacher = first_task(choice)
    student, curve, _ = train_task(
        lambda: teacher, *images_of(4, 7), settings, on_epoch, checkpoint
    )
    return np.concatenate([one.ravel() for one in student.get_weights()]), curve


def weights_of_a_killed(run):
    """Kills the training after each of its first two epochs; returns what it ends with."""
    from tfcil.training import Checkpoint

    def killed_after(epoch):
        def on_epoch(row, epochs):
            if row["epoch"] == epoch:
                raise KilledError

        return on_epoch

    path = Path(f"{run.replace('/', '-')}.npz")
    for epoch in (1, 2):
        with pytest.raises(KilledError):
            weights(run, Checkpoint(path, "digest"), killed_after(epoch))
    return weights(run, Checkpoint(path, "digest"))[0]


def main():
    from tfcil.training import jax_engine

    arrays = {}
    for run, ways in WAYS.items():
        for way in ways:
            jax_engine.IMAGES_ON_DEVICE = 2**31 if way else 0
            jax_engine.STEPS_PER_CALL = {"cpu": way or 1}
            arrays[f"{run} {way}"], curve = weights(run)
            arrays[f"{run} {way} curve"] = json.dumps(curve)
        arrays[f"{run} killed"] = weights_of_a_killed(run)
    np.savez("found", **arrays)


if __name__ == "__main__":
    main()
