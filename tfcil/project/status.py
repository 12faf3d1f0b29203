"""Shows which tasks are learned, which are pending and why, and how full the memory is."""

import json
import subprocess
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfcil.config.params import load_params
from tfcil.data.datasets import class_names
from tfcil.errors import UserError
from tfcil.evaluation.registry import primary
from tfcil.files import load_npz, read_json
from tfcil.stages.layout import Layout
from tfcil.stages.recipes import settings_of


def reasons_to_train(layout, params, changed) -> dict[str, str | None]:
    """Returns why `dvc repro` would train each task, `None` where it is learned.

    `changed` comes from `changed_stages`.
    """
    reasons, before = {}, None
    for key in params.tasks:
        reasons[key] = f"after {before}" if before else _reason(layout, params, key, changed)
        before = key if reasons[key] else None
    return reasons


def _reason(layout, params, key, changed) -> str | None:
    if not layout.model(key).exists():
        return "new"
    known = read_json(layout.class_names(key))["classes"]
    classes = params.tasks[key].classes
    if isinstance(classes, list) and known[-len(classes) :] != classes:
        return "other classes"
    try:
        written = read_json(layout.recipe(key))
    except UserError:
        return "no recipe"
    if written != settings_of(params, key).model_dump(mode="json"):
        return "other settings"
    names = changed.get(f"train@{key}")
    return f"changed: {', '.join(names)}" if names else None


def _accuracy(path) -> float | None:
    evaluation = read_json(path) if path.exists() else None
    return evaluation and sum(evaluation["correct"][primary()]) / sum(evaluation["images"])


def _class_sizes(path) -> str | None:
    """Returns the most and the fewest training images of the classes of a task."""
    sizes = read_json(path)["seen"][-1]["class_sizes"] if path.exists() else None
    return sizes and " to ".join(map(str, sorted({max(sizes), min(sizes)}, reverse=True)))


def _exemplars(path) -> int | None:
    return len(load_npz(path, "labels")[0]) if path.exists() else None


def changed_stages(layout) -> dict[str, list[str]]:
    """Asks DVC which changes make it run a stage again: names of files, or `command`.

    Raises:
        UserError: DVC cannot tell.
    """
    if not (layout.root / "dvc.yaml").exists():
        return {}
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    done = subprocess.run(command, cwd=layout.root, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().rpartition("\n")[2].removeprefix("ERROR: ")
        raise UserError(f"DVC cannot tell whether images changed: {reason}")
    return {
        stage.removeprefix("dvc.yaml:"): _changed(changes)
        for stage, changes in json.loads(done.stdout or "{}").items()
    }


def _changed(changes) -> list[str]:
    names = []
    for change in changes:
        if isinstance(change, str):
            names.append(change.removeprefix("changed "))
        else:
            names += [file for files in change.values() for file in files]
    return list(dict.fromkeys(names))


def print_status(root=".") -> None:
    """Prints the status of each task, the size of the memory, and the classes in no task."""
    layout = Layout.of(root)
    params = load_params(layout.params)
    try:
        changed, unknown = changed_stages(layout), None
    except UserError as error:
        changed, unknown = {}, str(error)
    reasons = reasons_to_train(layout, params, changed)
    console, table = Console(), Table()
    for column in ("task", "classes", "images of each", "state", "accuracy", "exemplars"):
        table.add_column(column, justify="left" if column in ("classes", "state") else "right")
    for key, reason in reasons.items():
        accuracy = None if reason else _accuracy(layout.evaluation(key))
        exemplars = None if reason else _exemplars(layout.memory(key))
        sizes = None if reason else _class_sizes(layout.seen(key))
        table.add_row(
            Text(key),
            Text(_shown(params.tasks[key].classes)),
            sizes or "-",
            Text(f"pending ({reason})" if reason else "learned"),
            "-" if accuracy is None else f"{accuracy:.3f}",
            "-" if exemplars is None else str(exemplars),
        )
    console.print(table)
    learned = [key for key, reason in reasons.items() if not reason]
    for line in _remarks(layout, params, learned, changed, unknown):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def _shown(classes) -> str:
    if isinstance(classes, int):
        return str(classes)
    shown = ", ".join(classes[:4]) + (", ..." if len(classes) > 4 else "")
    return f"{len(classes)}: {shown}"


def _remarks(layout, params, learned, changed, unknown):
    if learned:
        last = learned[-1]
        names = read_json(layout.class_names(last))["classes"]
        yield f"model: {layout.model(last)} knows {len(names)} classes"
        memory, statistics = layout.memory(last), layout.statistics(last)
        if params.memory and memory.exists():
            kept = f"{_exemplars(memory)} of {params.memory} exemplars"
            yield f"memory: {kept}, {_size(memory)}"
        if params.choice().method.facts.keeps_statistics and statistics.exists():
            yield f"statistics: of {len(names)} classes, {_size(statistics)}"
    if params.dataset.path in changed.get("prepare", ()):
        yield (
            f"{params.dataset.path} changed: prepare runs first, and a task whose images changed "
            "is trained again, with all after it"
        )
    pending = len(params.tasks) - len(learned)
    if pending:
        yield f"{pending} to train: dvc repro"
    if unknown or not pending:
        yield unknown or "nothing to train"
    if params.dataset.name == "folder":
        if gone := classes_without_images(params):
            named = ", ".join(f"{name} of task {key}" for name, key in gone[:8])
            yield f"{params.dataset.path} has no {named}{', ...' if len(gone) > 8 else ''}"
        waiting = classes_in_no_task(layout, params)
        if waiting:
            yield (
                f"{len(waiting)} classes of {params.dataset.path} are in no task: "
                f"{', '.join(waiting[:8])}{', ...' if len(waiting) > 8 else ''} (tfcil tasks --add)"
            )


def _size(path) -> str:
    return f"{path.stat().st_size / 2**20:.1f} MiB in {path}"


def classes_in_no_task(layout, params) -> list[str]:
    """Returns the classes of a folder of images that no task names and no model knows."""
    taken = set()
    for key, task in params.tasks.items():
        if isinstance(task.classes, list):
            taken.update(task.classes)
        elif layout.class_names(key).exists():
            taken.update(read_json(layout.class_names(key))["classes"])
    return [name for name in class_names(params.dataset) if name not in taken]


def classes_without_images(params) -> list[tuple[str, str]]:
    """Returns the classes that tasks name and the data set no longer has, and keys of the tasks."""
    known = set(class_names(params.dataset))
    return [
        (name, key)
        for key, task in params.tasks.items()
        if isinstance(task.classes, list)
        for name in task.classes
        if name not in known
    ]
