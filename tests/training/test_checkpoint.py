"""A training that was killed goes on from its last finished epoch, and ends with the same bytes."""

import numpy as np
import pytest
from tiny_tasks import OPTIONS, RECIPE, first_task, settings, task_images

from tfcil.config.params import Method
from tfcil.training import train_task
from tfcil.training.checkpoint import Checkpoint

EPOCHS = 2  # of each of the two stages


class KilledError(Exception):
    """Stands for the end of the process."""


def train(method, checkpoint=None, epochs=None):
    """Trains the second task; it ends by being killed after so many epochs, if that is given."""
    recipe = RECIPE | {"epochs": EPOCHS, "learning_rate": 0.05}
    chosen = settings(
        method=method, first_task=None, earlier=[4], recipe=recipe, second_stage=recipe
    )
    seen = []

    def on_epoch(row):
        seen.append(row)
        if len(seen) == epochs:
            raise KilledError

    teacher = first_task(method.first_task())
    try:
        student, curve = train_task(lambda: teacher, *task_images(1), chosen, on_epoch, checkpoint)
    except KilledError:
        return None
    assert seen == curve
    return student.get_weights(), curve


@pytest.mark.parametrize(
    ("name", "loss", "kills"),
    [("baseline", "meta-bsce", [1]), ("podnet", "ce", [1, 3]), ("foster", "ce", [2])],
)
def test_killed_after_some_epoch_it_ends_the_same(tmp_path, name, loss, kills):
    """Within the main training, at its end, and within the second stage; also more than once."""
    method = Method(name=name, loss=loss, **OPTIONS.get(name, {}))
    expected, expected_curve = train(method)
    path = tmp_path / "00.npz"
    for epoch in kills:
        assert train(method, Checkpoint(path, "digest"), epoch) is None
    weights, curve = train(method, Checkpoint(path, "digest"))
    assert curve == expected_curve
    assert len(curve) == EPOCHS * (1 + method.trains_second_stage)
    for value, kept in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(value, kept)


def variables(*values):
    import keras

    return [keras.Variable(np.float32(value)) for value in values]


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "checkpoints" / "00.npz"
    Checkpoint(path, "ours").save(0, variables([1, 2], 3), [{"epoch": 1, "loss": 0.1}])
    return path


def test_values_and_curve_come_back(written):
    found = variables([0, 0], 0)
    assert Checkpoint(written, "ours").restore(0, found) == [{"epoch": 1, "loss": 0.1}]
    assert [one.numpy().tolist() for one in found] == [[1, 2], 3]
    assert Checkpoint(written, "ours").restore(1, found) == []


def test_checkpoint_of_other_settings_is_never_picked_up(written, capsys):
    found = variables([0, 0], 0)
    assert Checkpoint(written, "theirs").restore(0, found) == []
    assert found[0].numpy().tolist() == [0, 0]
    assert capsys.readouterr().err == ""


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
    assert Checkpoint(written, "ours").restore(0, found) == []
    assert found[0].numpy().tolist() == [0, 0]
    assert f"checkpoint passed over: it is damaged ({written})" in capsys.readouterr().err


def test_checkpoint_of_another_network_is_told_and_passed_over(written, capsys):
    found = variables([0, 0, 0], 0)
    assert Checkpoint(written, "ours").restore(0, found) == []
    assert "it belongs to another network" in capsys.readouterr().err
