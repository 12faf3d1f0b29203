"""Files that were damaged, exchanged or made by somebody else: one line that names them."""

import json
import shutil

import keras
import numpy as np
import pytest
import yaml
from tiny_params import tiny_params

from tfcil.errors import UserError
from tfcil.files import save_npz
from tfcil.stages.run import run_all, run_stage


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny_params(3, 2)))
    run_all(folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy in which one file is damaged; what comes of task 01 is made again."""
    copy = shutil.copytree(whole, tmp_path / "copy")
    (copy / "logs" / "01.json").unlink()
    return copy


def told(folder, stage, *key):
    with pytest.raises(UserError) as error:
        run_stage(stage, *key, root=folder)
    line = str(error.value)
    assert len(line.splitlines()) == 1
    return line


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


FILES = {
    "data/train/01/images.npy": ("train", "01"),
    "data/train/01/labels.npy": ("train", "01"),
    "data/train/01/task.json": ("train", "01"),
    "recipes/01.json": ("train", "01"),
    "models/00.keras": ("train", "01"),
    "memory/00.npz": ("train", "01"),
    "features/01.npz": ("select", "01"),
    "models/01.keras": ("evaluate", "01"),
    "data/seen/01.json": ("evaluate", "01"),
    "data/test/00/images.npy": ("evaluate", "01"),
    "evaluation/01.json": ("report",),
}


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "missing"])
@pytest.mark.parametrize(("name", "stage"), FILES.items(), ids=FILES)
def test_damaged_file_is_named(folder, name, stage, damage):
    path = folder / name
    if damage == "truncated":
        truncate(path)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("nothing of the kind")
    else:
        path.unlink()
    line = told(folder, *stage)
    assert path.parent.name in line
    before = sorted(file for file in folder.rglob("*") if ".partial" in file.name)
    assert before == []


def arrays(path):
    with np.load(path) as stored:
        return dict(stored)


def test_images_of_another_kind_are_told(folder):
    path = folder / "data" / "train" / "01" / "images.npy"
    images = np.load(path)
    for other in (images.astype("float32"), images[..., 0], images[:-1], images[:0]):
        np.save(path, other)
        assert "Expected uint8 images" in told(folder, "train", "01")


@pytest.mark.parametrize("wrong", [-1, 0, 2, 9])
def test_labels_out_of_range_are_told(folder, wrong):
    """Negative, of an old class, the last old one, and one that leaves a gap."""
    path = folder / "data" / "train" / "01" / "labels.npy"
    labels = np.load(path)
    labels[labels == labels.max()] = wrong
    np.save(path, labels)
    assert "label" in told(folder, "train", "01") or wrong == 9


def test_pickled_labels_are_not_opened(folder):
    path = folder / "data" / "train" / "01" / "labels.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert "pickle" in told(folder, "train", "01")


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept | {"images": kept["images"].astype("float64")},
        lambda kept: kept | {"images": np.zeros((len(kept["labels"]), 32, 32, 3), "uint8")},
        lambda kept: kept | {"labels": kept["labels"][:-1]},
        lambda kept: kept | {"labels": kept["labels"] + 3},
        lambda kept: kept | {"labels": kept["labels"][::-1].copy()},
        lambda kept: kept | {"ranks": kept["ranks"] + 1},
        lambda kept: {"images": kept["images"]},
    ],
    ids=["dtype", "shape", "fewer labels", "new labels", "order", "ranks", "array missing"],
)
def test_memory_of_another_kind_is_told(folder, change):
    path = folder / "memory" / "00.npz"
    save_npz(path, **change(arrays(path)))
    assert "memory" in told(folder, "train", "01")


def classifier(shape=(28, 28, 1), classes=3, features="features"):
    inputs = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling2D(name=features)(inputs)
    return keras.Model(inputs, keras.layers.Dense(classes, name="logits")(x))


@pytest.mark.parametrize(
    ("model", "word"),
    [
        (classifier(shape=(32, 32, 3)), "images"),
        (classifier(classes=5), "labels"),
        (classifier(features="other"), "features"),
    ],
    ids=["other images", "other number of classes", "no features"],
)
def test_model_of_somebody_else_is_told(folder, model, word):
    model.save(folder / "models" / "00.keras")
    assert word in told(folder, "train", "01")


def test_model_with_too_few_classes_is_not_evaluated(folder):
    classifier(classes=4).save(folder / "models" / "01.keras")
    assert "classes" in told(folder, "evaluate", "01")


def test_model_with_code_in_it_is_not_run(folder):
    """A Lambda layer holds Python code: `safe_mode` refuses it."""
    inputs = keras.Input((28, 28, 1))
    x = keras.layers.GlobalAveragePooling2D(name="features")(inputs)
    x = keras.layers.Lambda(lambda x: x)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    model.save(folder / "models" / "00.keras")
    assert "Lambda" in told(folder, "train", "01")


@pytest.mark.parametrize(
    "change",
    [
        {"recipe": 5},
        {"recipe": {"epochs": -1}},
        {"seed": "x"},
        {"unknown": 1},
        {"method": None},
        {"method": {"name": "lucyr"}},
        {"loss": {"name": "bsce", "options": {"tua": 1}}},
        {"correction": {"name": "weight_aligning", "options": 1}},
        {"earlier": [2]},
    ],
    ids=str,
)
def test_recipe_that_was_edited_is_checked(folder, change):
    path = folder / "recipes" / "01.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert told(folder, "train", "01")


def test_nothing_is_lost_by_all_this(whole):
    """The fixture's counterpart: undamaged, every stage runs again."""
    for stage in (("train", "01"), ("select", "01"), ("evaluate", "01"), ("report",)):
        run_stage(*stage, root=whole)
