"""What a run leaves behind can be used without tfcil, and is what it is said to be."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_project import PARAMS, Project

from tfcil.config.params import Dataset
from tfcil.data import load_dataset

TASKS = ("00", "01")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def images_and_labels(folder):
    return np.load(folder / "images.npy"), np.load(folder / "labels.npy")


@pytest.fixture(scope="module")
def outside(finished, tmp_path_factory):
    """What plain Keras says of the last model."""
    script = Path(__file__).with_name("plain_keras.py")
    printed = subprocess.run(
        [sys.executable, script, finished],
        cwd=tmp_path_factory.mktemp("outside"),
        check=True,
        stdout=subprocess.PIPE,
    ).stdout
    return json.loads(printed.splitlines()[-1])


def test_plain_keras_opens_the_model_and_gets_a_logit_per_seen_class(outside):
    assert outside["tfcil"] == []
    assert outside["images"] == ["uint8", 30, 28, 28, 1]
    assert outside["logits"] == [30, 6]
    assert outside["last_layers"] == ["features", "logits"]
    assert [len(shape) for shape in outside["last_shapes"]] == [2, 2]


def test_raw_bytes_and_floats_of_0_to_255_give_the_same_logits(outside):
    assert outside["difference_of_floats"] == 0


def test_plain_keras_predicts_what_was_evaluated(outside, finished):
    written = read_json(finished / "evaluation" / "01.json")
    assert written["images"] == [15, 15]
    assert written["class_sizes"] == [15] * 6
    assert written["correct"]["cnn"] == outside["correct"]
    assert written["confusion"] == outside["confusion"]


@pytest.mark.parametrize("rule", ["cnn", "nme"])
def test_metrics_are_read_off_the_evaluations(finished, rule):
    rows = [read_json(finished / "evaluation" / f"{task}.json") for task in TASKS]
    (first,), (old, new) = (np.divide(row["correct"][rule], row["images"]) for row in rows)
    figures = read_json(finished / "metrics.json")
    figures = figures["nme"] if rule == "nme" else figures
    last = (old + new) / 2
    assert figures["last_accuracy"] == pytest.approx(last)
    assert figures["average_incremental_accuracy"] == pytest.approx((first + last) / 2)
    assert figures["forgetting"] == pytest.approx(first - old)
    assert figures["backward_transfer"] == pytest.approx(old - first)
    assert [figures["old_accuracy"], figures["new_accuracy"]] == pytest.approx([old, new])


def test_class_names_stand_in_the_order_of_the_logits(finished):
    """By the pixels: images with label k are the data set's images of the class named k."""
    dataset = load_dataset(Dataset(name="omniglot100"))
    names = read_json(finished / "models" / "01.json")["classes"]
    assert len(set(names)) == len(names) == 6
    assert read_json(finished / "models" / "00.json")["classes"] == names[:3]
    for part, known, own in (
        ("train", dataset.train_images, dataset.train_labels),
        ("test", dataset.test_images, dataset.test_labels),
    ):
        for first, task in ((0, "00"), (3, "01")):
            images, labels = images_and_labels(finished / "data" / part / task)
            assert set(labels) == {first, first + 1, first + 2}
            for label in set(labels):
                expected = known[own == dataset.class_names.index(names[label])]
                np.testing.assert_array_equal(images[labels == label], expected)


@pytest.mark.parametrize(("seen", "quota"), [(TASKS[:1], 4), (TASKS, 2)], ids=TASKS)
def test_memory_holds_training_images_bit_for_bit_within_the_budget(finished, seen, quota):
    with np.load(finished / "memory" / f"{seen[-1]}.npz", allow_pickle=False) as stored:
        images, labels = stored["images"], stored["labels"]
    assert len(images) <= PARAMS["memory"]
    assert np.bincount(labels).tolist() == [quota] * (3 * len(seen))
    kept = {(label, image.tobytes()) for image, label in zip(images, labels, strict=True)}
    learned = {
        (label, image.tobytes())
        for task in seen
        for image, label in zip(*images_and_labels(finished / "data" / "train" / task), strict=True)
    }
    assert len(kept) == len(images)
    assert kept <= learned


def test_stages_of_numpy_alone_do_not_load_tensorflow(finished, home, tmp_path):
    """Run again, all of them in one process, they also write the same bytes again."""
    again = Project(shutil.copytree(finished, tmp_path / "again"), home)
    again.run(
        sys.executable,
        "-c",
        "import sys\n"
        "from tfcil.stages.run import run_stage\n"
        "for stage in ('recipes', 'prepare', 'select 00', 'select 01', 'report'):\n"
        "    run_stage(*stage.split())\n"
        "    assert not {'tensorflow', 'keras', 'jax'} & set(sys.modules), stage\n",
    )
    for name in ("recipes/01.json", "memory/01.npz", "report/accuracy.png", "metrics.json"):
        assert (again.folder / name).read_bytes() == (finished / name).read_bytes()
