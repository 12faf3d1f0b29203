"""Begins a project with a person's images: params.yaml, and the pipeline in dvc.yaml."""

import re
import shutil
from pathlib import Path

import yaml

from tfcil.backbones.names import is_file, known_weights
from tfcil.config.params import Dataset
from tfcil.config.presets import find_preset, packaged
from tfcil.config.tasks_block import rewrite_tasks
from tfcil.data.own_images import check_apart
from tfcil.errors import UserError
from tfcil.files import write_atomically
from tfcil.stages.layout import Layout

_OWN_CODE = ("tfcil/", "pipelines/")
_HEAD = """\
# The pipeline of tfcil for this folder; params.yaml has the settings. Written by `tfcil init`.
# A new version of tfcil trains nothing again by itself: `dvc repro --force` does.
"""


def create_project(folder, images, class_names, image_size=None, backbone="resnet18", force=False):
    """Writes params.yaml and dvc.yaml for a person's images, and the files that these need.

    With a network that has ImageNet weights, these are frozen and the head is computed; another
    one is trained.

    Args:
        folder: of the project.
        images: path of a folder or CSV file, relative to the project's folder.
        class_names: of all classes of the first task.
        image_size: side in pixels of the stored images; `None`: that of the preset.
        backbone: the network, as in params.yaml.
        force: whether existing files are overwritten.

    Raises:
        UserError: where params.yaml or dvc.yaml exists already, unless `force` is set; where the
            images lie among the results of the pipeline.
    """
    folder = Path(folder)
    check_apart(Dataset(name="folder", path=str(folder / images)), Layout(folder).folders)
    for name in ("params.yaml", "dvc.yaml"):
        if (folder / name).exists() and not force:
            raise UserError(f"Expected no {name} here; --force overwrites it. Received: {name}")
    is_pretrained = known_weights(backbone) == "imagenet"
    preset = find_preset("own_images_pretrained" if is_pretrained else "own_images")
    text = preset.read_text(encoding="utf-8")
    given = {"path": images, "image_size": image_size, "backbone": backbone}
    for key, value in given.items():
        if value is None:
            continue
        # A path may contain characters with a meaning in YAML.
        line = f"  {key}: " + yaml.safe_dump(value, width=999).removesuffix("...\n").strip()
        if key == "backbone" and is_file(backbone):
            line += (
                "\n  pixels: raw              # what it takes: raw 0..255, unit 0..1, signed -1..1"
            )
        text = re.sub(rf"^  {key}: \S+", lambda _, line=line: line, text, flags=re.M)
    pipeline = own_pipeline(is_file(backbone))
    for name, contents in {"params.yaml": text, "dvc.yaml": _HEAD + pipeline}.items():
        with write_atomically(folder / name) as aside:
            aside.write_text(contents, encoding="utf-8")
    first = {"classes": list(class_names), "after": "start", "recipe": "base"}
    rewrite_tasks(folder / "params.yaml", {"00": first})
    for template in packaged("plots", "pipelines/plots").glob("*.json"):
        with write_atomically(folder / "plots" / template.name) as aside:
            shutil.copyfile(template, aside)
    _ignore_outputs(folder / ".gitignore", yaml.safe_load(pipeline))


def _ignore_outputs(path, pipeline) -> None:
    """Lists what the pipeline writes in .gitignore; DVC would make one in each folder."""
    written = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    wanted = ["/checkpoints/", "/cache/"]
    for stage in pipeline["stages"].values():
        for out in stage.get("do", stage)["outs"]:
            top = out.split("/")[0]
            # The person's images may be in data/, too.
            wanted.append(f"/{out}" if top == "data" else f"/{top}/")
    lines = [*written, *(line for line in dict.fromkeys(wanted) if line not in written)]
    with write_atomically(path) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def own_pipeline(backbone_is_file=False) -> str:
    """Returns a dvc.yaml that calls the installed tfcil, and depends on the images of params.yaml.

    It is this repository's dvc.yaml with other commands, and without dependencies on code. Where
    the backbone is a file, it depends on that, too.
    """
    source = packaged("dvc.yaml", "dvc.yaml")
    pipeline = yaml.safe_load(source.read_text(encoding="utf-8"))
    for name, stage in pipeline["stages"].items():
        stage = stage.get("do", stage)
        stage["deps"] = [one for one in stage["deps"] if not one.startswith(_OWN_CODE)]
        stage["deps"] += ["${dataset.path}"] if name == "prepare" else []
        is_read = backbone_is_file and name in ("recipes", "start")
        stage["deps"] += ["${model.backbone}"] if is_read else []
        if not stage["deps"]:
            del stage["deps"]
        stage["cmd"] = re.sub(r"python pipelines/\w+\.py", f"tfcil stage {name}", stage["cmd"])
    text = yaml.safe_dump(pipeline, sort_keys=False, width=100, allow_unicode=True)
    return text.replace("pipelines/plots/", "plots/")
