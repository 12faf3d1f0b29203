"""Commands about params.yaml: preset, tasks, params."""

import shutil
from pathlib import Path

from tfcil.errors import UserError


def add(commands) -> None:
    """Adds the commands to the parser."""
    preset = commands.add_parser("preset", help="copy a preset to ./params.yaml")
    preset.add_argument("name", nargs="?", help="without a name: list the presets")
    preset.add_argument("--force", action="store_true", help="overwrite a changed params.yaml")
    preset.set_defaults(run=_preset)

    tasks = commands.add_parser("tasks", help="rewrite the tasks of ./params.yaml, or add one")
    tasks.add_argument("--base", type=int, help="classes of the first task")
    tasks.add_argument("--increment", type=int, help="classes of each later task")
    tasks.add_argument("--total", type=int, default=100, help="classes of all tasks (100)")
    tasks.add_argument(
        "--add",
        nargs="*",
        metavar="CLASS",
        help="add a task of these classes; without names, of all classes that are in no task",
    )
    tasks.set_defaults(run=_tasks)

    params = commands.add_parser("params", help="print what every key of params.yaml means")
    params.add_argument("--schema", action="store_true", help="as a JSON schema, for editors")
    params.set_defaults(run=_params)


def _preset(options) -> None:
    from tfcil.config.presets import find_preset, headline, presets

    if options.name is None:
        for name, file in presets().items():
            print(f"{name:32} {headline(file)}")
        return
    source, target = find_preset(options.name), Path("params.yaml")
    if target.exists() and not options.force and target.read_bytes() != source.read_bytes():
        raise UserError(
            "Expected no other params.yaml here; --force overwrites it. Received: params.yaml"
        )
    shutil.copyfile(source, target)
    print(f"params.yaml: {options.name}")


def _params(options) -> None:
    import json

    from tfcil.config.reference import reference, schema

    print(json.dumps(schema(), indent=1) if options.schema else reference().rstrip("\n"))


def _tasks(options) -> None:
    from tfcil.config.tasks_block import rewrite_tasks
    from tfcil.scenario import protocol
    from tfcil.stages.layout import Layout

    if options.add is not None:
        _add_task(Layout(), options.add)
        return
    if options.base is None or options.increment is None:
        raise UserError(
            "tasks: expected --base and --increment, or --add. "
            f"Received: base={options.base}, increment={options.increment}"
        )
    tasks = protocol(options.base, options.increment, options.total)
    rewrite_tasks(Layout().params, tasks)
    print(f"params.yaml: {len(tasks)} tasks, {options.total} classes")


def _add_task(layout, names) -> None:
    from tfcil.config.params import load_params
    from tfcil.config.tasks_block import add_task
    from tfcil.data.datasets import class_names
    from tfcil.errors import nearest
    from tfcil.project.status import classes_in_no_task

    params = load_params(layout.params)
    waiting = classes_in_no_task(layout, params)
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"tasks: expected each class once. Received: --add {name} {name}")
        if name not in waiting:
            known = name in class_names(params.dataset)
            raise UserError(
                "tasks: expected classes that are in no task, "
                f"{name} is {'in a task already' if known else 'no class'}"
                f"{nearest(name, waiting)}. Received: --add {name}"
            )
    if not names and params.dataset.name != "folder":
        raise UserError("tasks: expected names of classes. Received: --add")
    if not waiting:
        raise UserError("tasks: expected classes that are in no task yet. Received: none")
    names = names or waiting
    key = add_task(layout.params, params.tasks, names)
    print(f"params.yaml: task {key} with {len(names)} classes: {', '.join(names)}")
