"""Commands that write params.yaml: preset, tasks."""

import shutil
from pathlib import Path

from tfcil.errors import UserError


def add(commands) -> None:
    """Adds the commands to the parser."""
    preset = commands.add_parser("preset", help="put a preset in place as ./params.yaml")
    preset.add_argument("name", nargs="?", help="without a name: list the presets")
    preset.add_argument("--force", action="store_true", help="overwrite another params.yaml")
    preset.set_defaults(run=_preset)

    tasks = commands.add_parser("tasks", help="rewrite the tasks of ./params.yaml for a protocol")
    tasks.add_argument("--base", type=int, required=True, help="classes of the first task")
    tasks.add_argument("--increment", type=int, required=True, help="classes of each later task")
    tasks.add_argument("--total", type=int, default=100, help="classes of all tasks (100)")
    tasks.set_defaults(run=_tasks)


def _preset(options) -> None:
    from tfcil.params_file import find_preset, headline, presets

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


def _tasks(options) -> None:
    from tfcil.params_file import rewrite_tasks
    from tfcil.scenario import protocol
    from tfcil.stages.layout import Layout

    tasks = protocol(options.base, options.increment, options.total)
    rewrite_tasks(Layout().params, tasks)
    print(f"params.yaml: {len(tasks)} tasks, {options.total} classes")
