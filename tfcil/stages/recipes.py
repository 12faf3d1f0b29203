"""Stage `recipes`: for each task, every setting that decides how it is trained, and no other.

`train` depends on these files and not on params.yaml: the first task knows of the method only the
head and the loss that go with it, so other changes of the method leave it as it is. DVC's templates
can't say that by themselves.
"""

from tfcil.catalogue import code_digest
from tfcil.config.params import TaskSettings
from tfcil.files import write_atomically, write_json
from tfcil.stages.layout import START, Layout


def recipes(layout: Layout, params) -> None:
    """Writes recipes/: one file per task."""
    with write_atomically(layout.recipe(START).parent) as folder:
        for key in params.tasks:
            write_json(folder / f"{key}.json", settings_of(params, key).model_dump())


def settings_of(params, key) -> TaskSettings:
    """Returns every setting that decides how a task is trained."""
    task, method = params.tasks[key], params.method
    first = task.after == START
    needs_second = not first and method.trains_second_stage
    return TaskSettings(
        seed=params.seed,
        strategy=params.strategy,
        recipe=params.base if task.recipe == "base" else params.increment,
        first_task=method.first_task() if first else None,
        method=None if first else method,
        second_stage=params.second_stage if needs_second else None,
        earlier=None if first else _earlier(params, key),
        code=code_digest("classification" if first else method.name),
    )


def _earlier(params, key) -> list[int]:
    """The number of classes of each task before, the first one first."""
    sizes, after = [], params.tasks[key].after
    while after != START:
        classes = params.tasks[after].classes
        sizes.insert(0, classes if isinstance(classes, int) else len(classes))
        after = params.tasks[after].after
    return sizes
