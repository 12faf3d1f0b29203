"""A folder with your images: what `tfcil init` writes, what `--add` adds, what `status` tells."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tfcil.cli import main
from tfcil.config.params import load_params
from tfcil.files import write_json
from tfcil.project.create import own_pipeline
from tfcil.stages.layout import Layout
from tfcil.stages.run import LAST, ONCE, PER_TASK

ROOT = Path(__file__).parents[2]
OURS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def write(folder, *names):
    for value, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.new("L", (4, 4), 50 * value + number).save(folder / name / f"{number}.png")


@pytest.fixture
def pets(tmp_path, monkeypatch):
    """A folder with images of two classes, one of which has a name that means much to a shell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "data raw", "cat", '"; rm -rf ~')
    main(["init", "data raw", "--image-size", "28", "--backbone", "simple_cnn"])
    return tmp_path


def test_init_names_the_classes_and_the_images(pets):
    params = load_params("params.yaml")
    assert params.tasks["00"].classes == ['"; rm -rf ~', "cat"]
    assert params.dataset.path == "data raw"
    assert params.dataset.image_size == 28
    assert params.model.backbone == "simple_cnn"


def test_init_with_a_pretrained_network_computes_the_head_and_keeps_no_image(pets):
    """Photographs stay as large as the network sees them."""
    main(["init", "data raw", "--backbone", "efficientnet_lite0", "--force"])
    params = load_params("params.yaml")
    assert (params.model.weights, params.model.side) == ("imagenet", params.dataset.image_size)
    assert params.memory == 0
    assert params.choice().method.facts.keeps_statistics
    assert params.choice().correction is None
    assert {params.base.trainable, params.increment.trainable} == {"head"}
    assert params.dataset.path == "data raw"
    write(pets / "data raw", "koala")
    main(["tasks", "--add"])
    assert load_params("params.yaml").tasks["01"].classes == ["koala"]
    main(["init", "data raw", "--backbone", "MobileNetV2", "--image-size", "96", "--force"])
    params = load_params("params.yaml")
    assert (params.model.backbone, params.model.weights) == ("MobileNetV2", "imagenet")
    assert params.dataset.image_size == 96


def test_pipeline_of_a_project_is_ours_without_our_code():
    """Every stage, its settings and its files; never anything of params.yaml but a task's key."""
    stages = yaml.safe_load(own_pipeline())["stages"]
    assert list(stages) == list(OURS)
    assert set(stages) == {*ONCE, *PER_TASK, *LAST}
    for name, stage in stages.items():
        own, ours = stage.get("do", stage), OURS[name].get("do", OURS[name])
        assert own["cmd"] == f"tfcil stage {name}" + (" ${key}" if name in PER_TASK else "")
        assert own["outs"] == ours["outs"]
        assert own.get("params") == ours.get("params")
        left = [one for one in ours.get("deps", ()) if not one.startswith(("tfcil/", "pipelines/"))]
        added = ["${dataset.path}"] if name == "prepare" else []
        assert own.get("deps", []) == left + added


def test_a_backbone_that_is_a_file_is_a_dependency(pets):
    """A changed file trains again: the settings hold its digest, and stage start reads it."""
    main(["init", "data raw", "--backbone", "my net.keras", "--force"])
    params = load_params("params.yaml")
    assert (params.model.backbone, params.model.pixels) == ("my net.keras", "raw")
    stages = yaml.safe_load((pets / "dvc.yaml").read_text())["stages"]
    deps = {name: stage.get("do", stage).get("deps", []) for name, stage in stages.items()}
    assert {name for name, some in deps.items() if "${model.backbone}" in some} == {
        *("recipes", "start")
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["nowhere"], "No such file or directory"),
        (["data raw", "--image-size", "0"], "Received: --image-size=0"),
        (["data raw", "--backbone", "resnet17"], "did you mean resnet18?"),
    ],
)
def test_init_with_a_mistake_is_told_in_one_line_and_writes_nothing(pets, capsys, options, told):
    before = {file: file.read_bytes() for file in pets.iterdir() if file.is_file()}
    with pytest.raises(SystemExit):
        main(["init", *options, "--force"])
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
    assert {file: file.read_bytes() for file in pets.iterdir() if file.is_file()} == before


@pytest.mark.parametrize(
    "images", ["data/train", "data/train/..", "data", ".", "data/labels.csv", "link"]
)
def test_init_refuses_images_that_a_run_would_remove(tmp_path, monkeypatch, capsys, images):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data" / "train", "cat", "dog")
    (tmp_path / "link").symlink_to("data/train")
    (tmp_path / "data" / "labels.csv").write_text("path,label\ntrain/cat/0.jpg,cat\n")
    with pytest.raises(SystemExit):
        main(["init", images])
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected images apart from data/train" in line
    assert line.endswith(f"Received: dataset.path={Path(images)}")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data", "link"]


def test_every_folder_that_the_pipeline_writes_is_kept_apart_from_images():
    outs = [out for stage in OURS.values() for out in stage.get("do", stage)["outs"]]
    folders = {Path(out.removesuffix(f"/{Path(out).name}") if "." in out else out) for out in outs}
    folders.remove(Path("data"))  # it has two files of ours, and may have a person's images
    assert folders | {Path("checkpoints"), Path("cache")} == set(Layout().folders)


def test_init_overwrites_nothing(pets):
    before = {file.name: file.read_bytes() for file in pets.iterdir() if file.is_file()}
    with pytest.raises(SystemExit):
        main(["init", "data raw"])
    assert {file.name: file.read_bytes() for file in pets.iterdir() if file.is_file()} == before
    main(["init", "data raw", "--force"])
    assert load_params("params.yaml").model.backbone == "resnet18"


def test_what_is_written_is_ignored_by_git_and_images_are_not(pets):
    ignored = (pets / ".gitignore").read_text().splitlines()
    for line in ("/models/", "/checkpoints/", "/data/train", "/statistics/", "/cache/"):
        assert line in ignored
    assert not any(line in ignored for line in ("/data", "/data/", "/data/raw"))
    main(["init", "data raw", "--force"])
    assert (pets / ".gitignore").read_text().splitlines() == ignored


def test_plots_find_their_templates(pets):
    for plot in yaml.safe_load((pets / "dvc.yaml").read_text())["plots"]:
        ((_, options),) = plot.items()
        template = options.get("template", "")
        assert not template.endswith(".json") or json.loads((pets / template).read_text())


def test_add_takes_the_classes_that_no_task_has(pets, capsys):
    write(pets / "data raw", "koala", "panda: a bear, [rare]")
    main(["tasks", "--add"])
    tasks = load_params("params.yaml").tasks
    assert tasks["01"].model_dump() == {
        "classes": ["koala", "panda: a bear, [rare]"],
        "after": "00",
        "recipe": "increment",
    }
    assert "task 01 with 2 classes" in capsys.readouterr().out


def test_add_takes_only_what_is_named_and_leaves_the_rest_of_the_file_as_it_is(pets):
    write(pets / "data raw", "koala", "panda")
    before = Path("params.yaml").read_text()
    main(["tasks", "--add", "panda"])
    lines = Path("params.yaml").read_text().splitlines()
    new = '  "01": {classes: ["panda"], after: "00", recipe: increment}'
    assert [line for line in lines if line != new] == before.splitlines()
    assert lines.count(new) == 1
    assert lines.index(new) == lines.index(next(x for x in lines if '"00"' in x)) + 1


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["cat"], "cat is in a task already"),
        (["dgo"], "dgo is no class"),
        (["fox", "fox"], "each class once. Received: --add fox fox"),
        ([], "Received: none"),
    ],
)
def test_add_refuses_what_cannot_be_added(pets, capsys, names, told):
    with pytest.raises(SystemExit):
        main(["tasks", "--add", *names])
    assert told in capsys.readouterr().err
    assert list(load_params("params.yaml").tasks) == ["00"]


def status(capsys):
    main(["status"])
    return capsys.readouterr().out


def learn(pets, key, names):
    """The files that tell of a task that was learned from the present settings."""
    (pets / "models").mkdir(exist_ok=True)
    (pets / "models" / f"{key}.keras").write_bytes(b"")
    write_json(pets / "models" / f"{key}.json", {"classes": names})
    main(["stage", "recipes"])


def test_status_tells_learned_from_pending_and_why(pets, capsys):
    (pets / "dvc.yaml").unlink()  # as in a project without DVC
    assert "pending (new)" in status(capsys)
    learn(pets, "00", ['"; rm -rf ~', "cat"])
    assert "learned" in status(capsys)
    seen = {"task": "00", "images": 2, "digest": "", "class_sizes": [17, 503]}
    write_json(pets / "data" / "seen" / "00.json", {"split": "test", "seen": [seen]})
    assert "503 to 17" in status(capsys)
    write(pets / "data raw", "koala")
    printed = status(capsys)
    assert "nothing to train" in printed
    assert "1 classes of data raw are in no task: koala" in printed
    main(["tasks", "--add"])
    printed = status(capsys)
    assert "1 to train" in printed
    assert "in no task" not in printed
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("learning_rate: 0.05", "learning_rate: 0.06", 1))
    printed = status(capsys)
    assert "pending (other settings)" in printed
    assert "pending (after 00)" in printed
    learn(pets, "00", ["dog", "cat"])
    assert "pending (other classes)" in status(capsys)


def test_status_says_where_dvc_cannot_tell_what_changed(pets, capsys):
    """This folder has a dvc.yaml and is no repository of DVC."""
    learn(pets, "00", ['"; rm -rf ~', "cat"])
    printed = status(capsys)
    assert (
        "DVC cannot tell whether images changed: you are not inside of a DVC repository" in printed
    )
    assert "nothing to train" not in printed


def test_status_names_classes_that_are_gone(pets, capsys):
    shutil.rmtree(pets / "data raw" / "cat")
    assert "data raw has no cat of task 00\n" in status(capsys)


def test_status_shows_names_as_they_are(pets, capsys):
    write(pets / "data raw", "dog [male]", "dog [bold]")
    main(["tasks", "--add"])
    assert "2: dog [bold], dog [male]" in status(capsys)
