"""What of an experiment is learned, what is pending and why, and what the memory holds."""

import json
import subprocess
import sys
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tfcil.config.params import load_params
from tfcil.data.datasets import class_names
from tfcil.errors import UserError
from tfcil.evaluation.registry import primary
from tfcil.files import load_npz, read_json
from tfcil.stages.layout import Layout
from tfcil.stages.recipes import settings_of


@dataclass(frozen=True)
class TaskStatus:
    """What there is of one task.

    Args:
        key: of the task.
        classes: how many it brings, or their names.
        pending: why `dvc repro` would train it, or `None` where it is learned.
        accuracy: on all test images of the classes seen after it, or `None`.
        exemplars: kept after it, or `None`.
    """

    key: str
    classes: int | list[str]
    pending: str | None
    accuracy: float | None
    exemplars: int | None


def status_of(layout, params, changed) -> list[TaskStatus]:
    """Looks at the files of each task.

    Args:
        layout: where the files lie.
        params: the whole params.yaml.
        changed: as `changed_stages` returns it.
    """
    found, before = [], None
    for key, task in params.tasks.items():
        pending = f"after {before}" if before else _pending(layout, params, key, changed)
        before = key if pending else None
        evaluation, memory = layout.evaluation(key), layout.memory(key)
        learned = pending is None
        found.append(
            TaskStatus(
                key,
                task.classes,
                pending,
                _accuracy(evaluation) if learned and evaluation.exists() else None,
                len(load_npz(memory, "labels")[0]) if learned and memory.exists() else None,
            )
        )
    return found


def _pending(layout, params, key, changed) -> str | None:
    if not layout.model(key).exists():
        return "new"
    known = read_json(layout.class_names(key))["classes"]
    classes = params.tasks[key].classes
    num_new = classes if isinstance(classes, int) else len(classes)
    if isinstance(classes, list) and known[-num_new:] != classes:
        return "other classes"
    try:
        written = read_json(layout.recipe(key))
    except UserError:
        return "no recipe"
    if written != json.loads(settings_of(params, key).model_dump_json()):
        return "other settings"
    reasons = changed.get(f"train@{key}")
    return reasons and f"changed: {', '.join(reasons)}"


def _accuracy(path) -> float:
    evaluation = read_json(path)
    return sum(evaluation["correct"][primary()]) / sum(evaluation["images"])


def changed_stages(layout) -> dict[str, list[str]]:
    """Asks DVC what each stage would run for: names of files, or `command`.

    Args:
        layout: where the files lie; where they are no DVC project, nothing is known.
    """
    if not (layout.root / "dvc.yaml").exists():
        return {}
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=layout.root, capture_output=True, text=True)
    if done.returncode:
        return {}
    return {
        stage.removeprefix("dvc.yaml:"): _reasons(changes)
        for stage, changes in json.loads(done.stdout or "{}").items()
    }


def _reasons(changes) -> list[str]:
    names = []
    for change in changes:
        if isinstance(change, str):
            names.append(change.removeprefix("changed "))
            continue
        for files in change.values():
            names.extend(files)
    return list(dict.fromkeys(names))


def print_status(root=".") -> None:
    """Prints the state of each task, what the memory holds, and what waits to be added.

    Args:
        root: folder with params.yaml.

    Raises:
        UserError: where params.yaml or a file of a task is missing or wrong.
    """
    layout = Layout.of(root)
    params = load_params(layout.params)
    changed = changed_stages(layout)
    console, tasks = Console(), status_of(layout, params, changed)
    table = Table()
    for column, justify in (
        *(("task", "right"), ("classes", "left"), ("state", "left")),
        *(("accuracy", "right"), ("exemplars", "right")),
    ):
        table.add_column(column, justify=justify)
    for task in tasks:
        table.add_row(
            task.key,
            _shown(task.classes),
            "learned" if task.pending is None else f"pending ({task.pending})",
            "-" if task.accuracy is None else f"{task.accuracy:.3f}",
            "-" if task.exemplars is None else str(task.exemplars),
        )
    console.print(table)
    for line in _remarks(layout, params, tasks, changed):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _shown(classes) -> str:
    if isinstance(classes, int):
        return str(classes)
    shown = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
    return f"{len(classes)}: {shown}"


def _remarks(layout, params, tasks, changed):
    learned = [task for task in tasks if task.pending is None]
    if learned:
        last = learned[-1].key
        names = read_json(layout.class_names(last))["classes"]
        yield f"model: {layout.model(last)} knows {len(names)} classes"
        if learned[-1].exemplars is not None:
            size = layout.memory(last).stat().st_size
            yield (
                f"memory: {learned[-1].exemplars} of {params.memory} exemplars, "
                f"{size / 2**20:.1f} MiB in {layout.memory(last)}"
            )
    if params.dataset.path in changed.get("prepare", ()):
        yield (
            f"{params.dataset.path} changed: prepare runs first, and a task whose images changed "
            "is trained again, with all after it"
        )
    pending = len(tasks) - len(learned)
    yield f"{pending} to train: dvc repro" if pending else "nothing to train"
    if params.dataset.name == "folder":
        waiting = classes_in_no_task(layout, params)
        if waiting:
            yield (
                f"{len(waiting)} classes of {params.dataset.path} are in no task: "
                f"{', '.join(waiting[:8])}{', ...' if len(waiting) > 8 else ''} (tfcil tasks --add)"
            )


def classes_in_no_task(layout, params) -> list[str]:
    """Names the classes of a folder of images that no task brings and no model knows.

    Args:
        layout: where the files lie.
        params: the whole params.yaml.
    """
    taken = set()
    for key, task in params.tasks.items():
        if isinstance(task.classes, list):
            taken.update(task.classes)
        elif layout.class_names(key).exists():
            taken.update(read_json(layout.class_names(key))["classes"])
    return [name for name in class_names(params.dataset) if name not in taken]
