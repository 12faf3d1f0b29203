"""params.yaml as a text: presets to put in place, and its block of tasks rewritten."""

import json
import re
from pathlib import Path

from tfcil.errors import UserError, nearest
from tfcil.files import write_atomically


def presets() -> dict[str, Path]:
    """Returns the files of the presets by name."""
    package = Path(__file__).resolve().parent
    # In an installed package they lie beside this file, in a checkout beside the pipeline.
    folders = (package / "presets", package.parent / "pipelines" / "presets")
    files = [file for folder in folders if folder.is_dir() for file in folder.glob("*.yaml")]
    return {file.stem: file for file in sorted(files)}


def find_preset(name: str) -> Path:
    """Returns the file of a preset; an unknown name is a `UserError`."""
    known = presets()
    if name not in known:
        raise UserError(
            f"Expected one of the presets {', '.join(known)}{nearest(name, known)}. "
            f"Received: preset={name}"
        )
    return known[name]


def headline(preset: Path) -> str:
    """Returns the first line of a preset, which says what it is."""
    with preset.open(encoding="utf-8") as lines:
        return lines.readline().lstrip("# ").strip()


def task_line(key: str, task: dict) -> str:
    """Writes the line of one task.

    Every text is quoted: what PyYAML takes for a text, such as 08, is a number to DVC.

    Args:
        key: of the task.
        task: `{"classes": ..., "after": ..., "recipe": ...}`.
    """
    classes, after = (json.dumps(task[name], ensure_ascii=False) for name in ("classes", "after"))
    return f'  "{key}": {{classes: {classes}, after: {after}, recipe: {task["recipe"]}}}\n'


def rewrite_tasks(path, tasks: dict) -> None:
    """Replaces the block `tasks:` of a params.yaml; everything else stays to the letter.

    Args:
        path: the file.
        tasks: key to `{"classes": ..., "after": ..., "recipe": ...}`.

    Raises:
        UserError: where the file is missing or has no such block.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Expected a params.yaml here ({error}). Received: path={path}") from None
    block = "tasks:\n" + "".join(task_line(key, task) for key, task in tasks.items())
    # The block goes on over indented and empty lines.
    text, found = re.subn(r"^tasks:.*\n(?:[ \t]+.*\n|(?=\n[ \t])\n)*", block, text, flags=re.M)
    if found != 1:
        raise UserError(f"Expected one block `tasks:` in the file. Received: path={path}")
    with write_atomically(path) as aside:
        aside.write_text(text, encoding="utf-8")
