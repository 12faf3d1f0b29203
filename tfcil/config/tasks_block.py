"""The block `tasks:` of a params.yaml: it is rewritten or gets a line, the rest stays as it is."""

import json
import re
from pathlib import Path

from tfcil.errors import UserError
from tfcil.files import write_atomically

# The block goes on over indented lines, and empty ones and comments between them.
_BLOCK = re.compile(r"^tasks:(.*)\n((?:[ \t]+.*\n|(?:#.*\n|\n)+(?=[ \t]))*)", re.M)


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
    """Replaces the block `tasks:`.

    Args:
        path: the params.yaml.
        tasks: key to `{"classes": ..., "after": ..., "recipe": ...}`.

    Raises:
        UserError: where the file is missing or has no such block.
    """
    text, block = _read(path)
    rows = "".join(task_line(key, task) for key, task in tasks.items())
    _write(path, f"{text[: block.start()]}tasks:\n{rows}{text[block.end() :]}")


def add_task(path, tasks, names) -> str:
    """Adds the line of one more task at the end of the block.

    Args:
        path: the params.yaml.
        tasks: the tasks that there are, by key.
        names: names of the new classes.

    Returns:
        The key of the new task.

    Raises:
        UserError: where the file has no such block, or its tasks stand in braces.
    """
    text, block = _read(path)
    if not block[2] or block[1].split("#")[0].strip():
        raise UserError(f"Expected a block `tasks:` with a line per task. Received: path={path}")
    last = list(tasks)[-1]
    key = str(int(last) + 1).zfill(len(last)) if last.isdigit() else f"{last}_next"
    row = task_line(key, {"classes": list(names), "after": last, "recipe": "increment"})
    _write(path, text[: block.end()] + row + text[block.end() :])
    return key


def _read(path):
    """Returns the text of a params.yaml, its last line complete, and the match of its block."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"Expected a params.yaml here ({error}). Received: path={path}") from None
    if not text.endswith("\n"):
        text += "\n"
    found = list(_BLOCK.finditer(text))
    if len(found) != 1:
        raise UserError(f"Expected one block `tasks:` in the file. Received: path={path}")
    return text, found[0]


def _write(path, text) -> None:
    with write_atomically(path) as aside:
        aside.write_text(text, encoding="utf-8")
