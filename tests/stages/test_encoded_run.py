"""A whole run on encoded images: equal to raw where nothing is resized, and all stages work."""

import io
import json

import numpy as np
import pytest
import yaml
from photos import photos
from PIL import Image
from tiny_params import tiny_params

from tfcil.cli import main
from tfcil.data.store import read_images
from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.stages.layout import Layout
from tfcil.stages.run import run_all, run_stage

RECIPE = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "flip": True}


def run(folder, dataset, **recipe):
    """Runs all stages; returns their files by name."""
    folder.mkdir(exist_ok=True)
    recipes = dict.fromkeys(("base", "increment"), RECIPE | recipe)
    params = tiny_params(2, 2, dataset=dataset, validation=0.3, **recipes)
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    run_all(folder)
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.match("logs/*") and file.name != "report.html"
    }


def test_a_run_without_resizing_gives_the_bytes_of_a_raw_one(tmp_path):
    """Models, features, curves, evaluations and figures; the exemplars are the same images."""
    raw, encoded = (
        run(tmp_path / store, {"name": "omniglot100", "store": store}, crop_padding=2)
        for store in ("raw", "encoded")
    )
    kinds = ("models/", "features/", "curves/", "evaluation/", "metrics.json", "report/")
    same = [name for name in raw if name.startswith(kinds)]
    assert len(same) > 15
    assert [name for name in same if raw[name] != encoded[name]] == []
    for task in ("00", "01"):
        one, other = (
            ExemplarMemory.load(tmp_path / store / "memory" / f"{task}.npz")
            for store in ("raw", "encoded")
        )
        assert other.is_encoded
        np.testing.assert_array_equal(one.images, other.images[:])
        np.testing.assert_array_equal(one.labels, other.labels)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Photos of 4 classes, 64 x 64, 128 x 96 and 96 x 160 pixels: the network takes 32 x 32."""
    folder = tmp_path_factory.mktemp("images")
    for number, contents in enumerate(photos(32)):
        place = folder / f"class{number % 4}" / f"{number}.jpg"
        place.parent.mkdir(exist_ok=True)
        sizes = ((64, 64), (128, 96), (96, 160), (40, 36))
        Image.open(io.BytesIO(contents)).resize(sizes[number // 4 % 4]).save(place, quality=90)
    return folder


@pytest.fixture(scope="module")
def finished(images, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    dataset = {"name": "folder", "path": str(images), "image_size": 32, "resize": "crop"}
    return folder, run(folder, dataset | {"store": "encoded"}, resized_crop=True)


def test_whole_images_are_stored_and_kept(finished, images):
    """Of 256/224 of 32 pixels at most, 37, in the proportions they had; smaller ones as files."""
    layout = Layout.of(finished[0])
    stored, _ = read_images(layout.train_images("00"))
    sizes = {tuple(size) for size in stored.sizes.tolist()}
    assert sizes <= {(37, 37), (37, 49), (61, 37), (36, 40)}
    assert len(sizes) > 2
    files = {file.read_bytes() for file in images.rglob("*.jpg")}
    small = [row for row, size in enumerate(stored.sizes) if tuple(size) == (36, 40)]
    assert all(stored.encoded(row).contents.tobytes() in files for row in small)
    memory = ExemplarMemory.load(layout.memory("01")).images
    learned = {
        one.encoded(row).contents.tobytes()
        for one in (read_images(layout.train_images(task))[0] for task in ("00", "01"))
        for row in range(len(one))
    }
    assert all(memory.encoded(row).contents.tobytes() in learned for row in range(len(memory)))


def test_a_second_run_gives_the_same_bytes(finished, images, tmp_path):
    dataset = {"name": "folder", "path": str(images), "image_size": 32, "resize": "crop"}
    again = run(tmp_path / "again", dataset | {"store": "encoded"}, resized_crop=True)
    assert again == finished[1]


def test_predict_and_both_exports_work(finished, images, tmp_path, capsys):
    layout = Layout.of(finished[0])
    model, memory = str(layout.model("01")), str(layout.memory("01"))
    assert json.loads(layout.class_names("01").read_text())["resize"] == "crop"
    main(["predict", model, str(images / "class0")])
    assert len(capsys.readouterr().out.splitlines()) >= 8
    for rule, more in (("cnn", ()), ("nme", ("--memory", memory))):
        output = tmp_path / f"{rule}.keras"
        main(["export", model, "--output", str(output), "--rule", rule, *more])
        assert output.exists()


def test_a_memory_of_pixels_is_told(finished):
    """`store` was changed, and a stage run alone."""
    folder, layout = finished[0], Layout.of(finished[0])
    whole = layout.memory("00").read_bytes()
    memory = ExemplarMemory.load(layout.memory("00"))
    ExemplarMemory(memory.images[:], memory.labels, memory.ranks).save(layout.memory("00"))
    with pytest.raises(UserError, match=r"encoded=True\. Received: encoded=False in path=.*00.npz"):
        run_stage("train", "01", root=folder)
    layout.memory("00").write_bytes(whole)
