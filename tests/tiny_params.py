"""Settings of tiny experiments, and settings with some keys changed."""

import copy

RECIPE = {"epochs": 1, "batch_size": 16, "learning_rate": 0.01}


def chain(*classes):
    """The section `tasks` for tasks with these numbers of classes, or lists of their names."""
    keys = [f"{number:02}" for number in range(len(classes))]
    return {
        key: {"classes": wanted, "after": after, "recipe": "increment" if number else "base"}
        for number, (key, wanted, after) in enumerate(
            zip(keys, classes, ["start", *keys], strict=False)
        )
    }


def tiny_params(*classes, **sections):
    """Settings of an experiment of seconds: the classes of each task, and whole sections."""
    # Copies: YAML would write one dictionary that stands twice as an alias.
    return {
        "memory": 6,
        "dataset": {"name": "omniglot100"},
        "tasks": chain(*classes),
        "base": dict(RECIPE),
        "increment": dict(RECIPE),
    } | sections


def changed(params, changes):
    """A copy of settings in which some keys have other values.

    Args:
        params: nested dictionaries.
        changes: the values, by keys such as "method.loss" or ("method", "loss").
    """
    params = copy.deepcopy(params)
    for path, value in changes.items():
        *sections, key = path.split(".") if isinstance(path, str) else path
        section = params
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = value
    return params
