"""Stage `recipes`: for each task, every setting that decides how it is trained, and no other.

`train` depends on these files instead of params.yaml: of the method, the first task depends on head
and loss only, and no task depends on options of unused components. DVC's templates can't say that.
Nor can they say that a key may be missing: `evaluate` depends on a file with `measures`.
"""

import sys

from tfcil.backbones.names import is_file
from tfcil.components.code import code_digest
from tfcil.config.settings import TaskSettings
from tfcil.errors import UserError, shown
from tfcil.files import file_digest, write_atomically, write_json
from tfcil.stages.layout import START, Layout


def recipes(layout: Layout, params) -> None:
    """Writes recipes/: one file per task, and `measures`. Warns of options hardly meant."""
    for warning in params.choice().warnings:
        print(warning, file=sys.stderr)
    with write_atomically(layout.recipe(START).parent) as folder:
        for key in params.tasks:
            write_json(folder / f"{key}.json", settings_of(params, key).model_dump())
        write_json(folder / layout.asked_measures.name, params.measures)


def settings_of(params, key) -> TaskSettings:
    """Returns every setting that decides how a task is trained."""
    task, choice = params.tasks[key], params.choice()
    first = task.after == START
    components = choice.first_task() if first else choice.later_task()
    settings = TaskSettings(
        seed=params.seed,
        strategy=params.strategy,
        recipe=params.base if task.recipe == "base" else params.increment,
        earlier=None if first else _earlier(params, key),
        backbone=_digest_of_file(params.model.backbone) if first else None,
        **components,
    )
    return settings.model_copy(update={"code": code_digest(*settings.modules)})


def _digest_of_file(backbone) -> str | None:
    """Returns the SHA-256 of the file that a backbone is read from; None: it has a name."""
    if not is_file(backbone):
        return None
    try:
        return file_digest(backbone)
    except OSError as error:
        raise UserError(
            f"model.backbone: expected a file ({error.strerror}). "
            f"Received: model.backbone={shown(backbone)}"
        ) from None


def _earlier(params, key) -> list[int]:
    """Returns the number of classes of each task before, the first one first."""
    sizes, after = [], params.tasks[key].after
    while after != START:
        classes = params.tasks[after].classes
        sizes.insert(0, classes if isinstance(classes, int) else len(classes))
        after = params.tasks[after].after
    return sizes
