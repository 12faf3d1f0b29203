"""A project of a person's own: params.yaml for their images, and the pipeline in dvc.yaml."""

import re
import shutil
from pathlib import Path

import yaml

from tfcil.config.presets import find_preset, packaged
from tfcil.config.tasks_block import rewrite_tasks
from tfcil.errors import UserError
from tfcil.files import write_atomically

_OWN_CODE = ("tfcil/", "pipelines/")
_HEAD = """\
# The pipeline of tfcil for this folder; params.yaml has the settings. Written by `tfcil init`.
# A new version of tfcil trains nothing again by itself: `dvc repro --force` does.
"""


def create_project(folder, images, class_names, image_size=64, backbone="resnet18", force=False):
    """Writes params.yaml and dvc.yaml for images of one's own; the first task has all classes.

    Args:
        folder: the project's folder.
        images: path of the images, from the project's folder: a folder, or a CSV file.
        class_names: names of the classes that there are now.
        image_size: side in pixels that images are resized to.
        backbone: name of the network.
        force: overwrite other files of these names.

    Raises:
        UserError: where one of the files is there already.
    """
    folder = Path(folder)
    for name in ("params.yaml", "dvc.yaml"):
        if (folder / name).exists() and not force:
            raise UserError(f"Expected no {name} here; --force overwrites it. Received: {name}")
    text = find_preset("own_images").read_text(encoding="utf-8")
    for key, value in {"path": images, "image_size": image_size, "backbone": backbone}.items():
        # As YAML writes it: a path may hold what means something to YAML.
        written = yaml.safe_dump(value, width=999).removesuffix("...\n").strip()
        text = re.sub(
            rf"^  {key}: \S+", lambda _, k=key, w=written: f"  {k}: {w}", text, flags=re.M
        )
    with write_atomically(folder / "params.yaml") as aside:
        aside.write_text(text, encoding="utf-8")
    first = {"classes": list(class_names), "after": "start", "recipe": "base"}
    rewrite_tasks(folder / "params.yaml", {"00": first})
    pipeline = own_pipeline()
    with write_atomically(folder / "dvc.yaml") as aside:
        aside.write_text(_HEAD + pipeline, encoding="utf-8")
    for template in packaged("plots", "pipelines/plots").glob("*.json"):
        with write_atomically(folder / "plots" / template.name) as aside:
            shutil.copyfile(template, aside)
    _ignore_outputs(folder / ".gitignore", yaml.safe_load(pipeline))


def _ignore_outputs(path, pipeline) -> None:
    """Adds what the pipeline writes to .gitignore; DVC would make one in each folder."""
    written = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    wanted = ["/checkpoints/"]
    for stage in pipeline["stages"].values():
        for out in stage.get("do", stage)["outs"]:
            top = out.split("/")[0]
            # The person's own images may lie in data/, too.
            wanted.append(f"/{out}" if top == "data" else f"/{top}/")
    lines = [*written, *(line for line in dict.fromkeys(wanted) if line not in written)]
    with write_atomically(path) as aside:
        aside.write_text("\n".join(lines) + "\n", encoding="utf-8")


def own_pipeline() -> str:
    """Returns a dvc.yaml that calls the installed tfcil and watches the images of params.yaml.

    It is this repository's own without the code among the dependencies, so the two never differ.
    """
    source = packaged("dvc.yaml", "dvc.yaml")
    pipeline = yaml.safe_load(source.read_text(encoding="utf-8"))
    for name, stage in pipeline["stages"].items():
        stage = stage.get("do", stage)
        stage["deps"] = [one for one in stage["deps"] if not one.startswith(_OWN_CODE)]
        stage["cmd"] = re.sub(r"python pipelines/\w+\.py", f"tfcil stage {name}", stage["cmd"])
    pipeline["stages"]["prepare"]["deps"].append("${dataset.path}")
    for stage in pipeline["stages"].values():
        if not stage.get("do", stage)["deps"]:
            del stage.get("do", stage)["deps"]
    text = yaml.safe_dump(pipeline, sort_keys=False, width=100, allow_unicode=True)
    return text.replace("pipelines/plots/", "plots/")
