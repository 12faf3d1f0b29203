"""Stage `recipes`: for each task, every setting that decides how it is trained, and no other.

`train` depends on these files and not on params.yaml: the first task does not know the method, so a
change of the method leaves it as it is. DVC's templates can't say that by themselves.
"""

from tfcil.files import write_atomically, write_json
from tfcil.stages.layout import START, Layout


def recipes(layout: Layout, params) -> None:
    """Writes recipes/: one file per task."""
    with write_atomically(layout.recipe(START).parent) as folder:
        for key, task in params.tasks.items():
            section = params.base if task.recipe == "base" else params.increment
            method = None if task.after == START else params.method.model_dump()
            write_json(
                folder / f"{key}.json",
                {
                    "seed": params.seed,
                    "strategy": params.strategy,
                    "recipe": section.model_dump(),
                    "method": method,
                },
            )
