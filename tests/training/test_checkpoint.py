"""A training that was killed goes on from its last finished epoch, and ends with the same bytes."""

import keras
import numpy as np
import pytest
from tiny_tasks import RECIPE, choice_of, first_task, images_of, task_settings

from tfcil.learning.task import train_task
from tfcil.training import make_deterministic
from tfcil.training.checkpoint import Checkpoint

EPOCHS = 2  # of each of the phases
CHANGED = {"epochs": EPOCHS, "learning_rate": 0.05}


class KilledError(Exception):
    """Stands for the end of the process."""


def train(choice, checkpoint=None, epochs=None):
    """Trains the second task; it ends by being killed after so many epochs, if that is given."""
    seen, totals = [], []

    def on_epoch(row, total):
        seen.append(row)
        totals.append(total)
        if len(seen) == epochs:
            raise KilledError

    make_deterministic()
    teacher = first_task(choice)
    chosen = task_settings(choice.later_task(), earlier=[4], recipe=RECIPE | CHANGED)
    try:
        student, curve, _ = train_task(
            lambda: teacher, *images_of(4, 7), chosen, on_epoch, checkpoint
        )
    except KilledError:
        return None
    assert seen == curve
    assert totals == [EPOCHS * (1 + number // EPOCHS) for number in range(len(curve))]
    return student.get_weights(), curve


@pytest.mark.parametrize(
    ("name", "loss", "correction", "phases", "kills"),
    [
        ("baseline", "meta_bsce", "default", 1, [1]),
        ("podnet", "nca", "default", 2, [1, 3]),
        ("dgr", "gce", "default", 1, [1]),
        ("baseline", "tal", "default", 1, [1]),
        ("replay", "ce", "retrain_head", 1, [1]),
        ("foster", "ce", "default", 2, [2]),
        ("mmd", "bsce", "default", 1, [1]),
        ("module:own_method", "ce", "default", 1, [1]),
    ],
)
def test_killed_after_some_epoch_it_ends_the_same(tmp_path, name, loss, correction, phases, kills):
    """Within the first phase, at its end, and within the second; also more than once.

    What a hook has learned so far and the state of a gradient transform are part of it, and what a
    correction draws after the training.
    """
    choice = choice_of(name, loss, correction, balanced_finetuning=CHANGED)
    expected, expected_curve = train(choice)
    path = tmp_path / "00.npz"
    for epoch in kills:
        assert train(choice, Checkpoint(path, "digest"), epoch) is None
    weights, curve = train(choice, Checkpoint(path, "digest"))
    assert curve == expected_curve
    assert len(curve) == EPOCHS * phases
    for value, kept in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(value, kept)


def variables(*values):
    return [keras.Variable(np.float32(value)) for value in values]


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "checkpoints" / "00.npz"
    Checkpoint(path, "ours").save("main", variables([1, 2], 3), [{"epoch": 1, "loss": 0.1}])
    return path


def test_values_and_curve_come_back(written):
    found = variables([0, 0], 0)
    assert Checkpoint(written, "ours").restore("main", found) == [{"epoch": 1, "loss": 0.1}]
    assert [one.numpy().tolist() for one in found] == [[1, 2], 3]
    assert Checkpoint(written, "ours").restore("compression", found) == []


def test_checkpoint_of_other_settings_is_never_picked_up(written, capsys):
    found = variables([0, 0], 0)
    assert Checkpoint(written, "theirs").restore("main", found) == []
    assert found[0].numpy().tolist() == [0, 0]
    assert capsys.readouterr().err == ""


def test_each_phase_has_its_own_values(written):
    """Also where one's name begins with another's."""
    checkpoint = Checkpoint(written, "ours")
    checkpoint.save("main/again", variables(7), [{"epoch": 2, "loss": 0.2}])
    for name, expected, epoch in (("main", [[1, 2], 3], 1), ("main/again", [7], 2)):
        found = variables(*(0 * np.array(value) for value in expected))
        (row,) = Checkpoint(written, "ours").restore(name, found)
        assert row["epoch"] == epoch
        assert [one.numpy().tolist() for one in found] == expected


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_damaged_checkpoint_is_told_and_passed_over(written, capsys, damage):
    whole = bytearray(written.read_bytes())
    if damage == "flipped":
        # Within the values: the checksum of the archive tells.
        position = whole.index(np.float32([1, 2]).tobytes())
        whole[position] ^= 1
    contents = {"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"no archive"}
    written.write_bytes(contents.get(damage, whole))
    found = variables([0, 0], 0)
    assert Checkpoint(written, "ours").restore("main", found) == []
    assert found[0].numpy().tolist() == [0, 0]
    assert f"checkpoint passed over: it is damaged ({written})" in capsys.readouterr().err


def test_checkpoint_of_another_network_is_told_and_passed_over(written, capsys):
    found = variables([0, 0, 0], 0)
    assert Checkpoint(written, "ours").restore("main", found) == []
    assert "it belongs to another network" in capsys.readouterr().err
