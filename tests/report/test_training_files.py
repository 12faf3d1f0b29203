"""What the stage train leaves for people: a log, and scalars for TensorBoard while it trains."""

import sys

import pytest

from tfcil.config.params import Params
from tfcil.files import read_json, write_json
from tfcil.stages.layout import Layout
from tfcil.stages.tensorboard import scalars
from tfcil.stages.training_log import Stopwatch

ROWS = [
    {"epoch": 1, "phase": "main", "images": 64, "loss": 2.5, "accuracy": 0.25, "distillation": 1.5},
    {"epoch": 2, "phase": "balancing", "images": 32, "loss": 1.5, "accuracy": 0.5},
]


def events(folder):
    """Reads event files back: (tag, step) to value."""
    import tensorflow as tf

    found = {}
    for file in sorted(folder.glob("events.out.tfevents.*")):
        for record in tf.data.TFRecordDataset(str(file)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name in ("scalars", "")
                found[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    return found


def test_scalars_are_there_while_training_goes_on(tmp_path):
    with scalars(tmp_path / "00") as on_epoch:
        on_epoch(ROWS[0])
        assert events(tmp_path / "00") == {
            ("loss", 1): 2.5,
            ("accuracy", 1): 0.25,
            ("distillation", 1): 1.5,
            ("images", 1): 64,
        }
        on_epoch(ROWS[1])
    assert events(tmp_path / "00")["loss", 2] == 1.5


def test_a_second_training_takes_the_place_of_the_first(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for _ in range(2):
        with scalars(tmp_path) as on_epoch:
            on_epoch(ROWS[0])
    assert len(list(tmp_path.glob("events.*"))) == 1
    assert (tmp_path / "notes.txt").exists()


def test_without_the_setting_nothing_is_written(tmp_path):
    with scalars(Layout.of(tmp_path).tensorboard(None, "00")) as on_epoch:
        on_epoch(ROWS[0])
    assert list(tmp_path.iterdir()) == []


def test_folder_of_the_setting_is_in_that_of_the_experiment(tmp_path):
    assert Params.model_fields["tensorboard"].default is None
    folder = Layout.of(tmp_path).tensorboard("runs/tensorboard", "01")
    assert folder == tmp_path / "runs" / "tensorboard" / "01"


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is not told there")
def test_log_tells_time_passes_memory_and_versions(tmp_path):
    log = Stopwatch(tmp_path / "01.part.json", "digest").log("01", ROWS)
    assert log["task"] == "01"
    assert log["images"] == 96
    assert 0 <= log["seconds"] < 60
    assert 0 <= log["cpu_seconds"] < 60
    assert 5e7 < log["peak_memory_bytes"] < 1e12
    assert {"tfcil", "python", "keras", "numpy", "pillow", log["backend"]} == set(log["versions"])
    assert log["devices"]


def test_seconds_before_a_kill_count(tmp_path):
    path = tmp_path / "logs" / "01.part.json"
    write_json(path, {"inputs": "digest", "seconds": [100.0, 70.0]})
    again = Stopwatch(path, "digest")
    again.keep()
    wall, cpu = read_json(path)["seconds"]
    assert 100 <= wall < 101 > 71 > cpu >= 70
    assert Stopwatch(path, "other").seconds()[0] < 1
    assert again.log("01", ROWS)["seconds"] >= 100
    assert not path.exists()
    for damaged in ("{", "[]", "{}"):
        path.write_text(damaged)
        assert Stopwatch(path, "digest").seconds()[0] < 1
