"""Settings of a tiny experiment, and grids that vary it."""

import copy

import yaml

RECIPE = {"epochs": 1, "batch_size": 16, "learning_rate": 0.05}
PARAMS = {
    "seed": 5,
    "memory": 12,
    "dataset": {"name": "omniglot100"},
    "tasks": {
        "00": {"classes": 3, "after": "start", "recipe": "base"},
        "01": {"classes": 3, "after": "00", "recipe": "increment"},
    },
    "method": {"name": "baseline", "loss": "bsce"},
    "base": dict(RECIPE),
    "increment": dict(RECIPE),
}
GRID = {"params": "params.yaml", "title": "Tiny", "seeds": [1, 0], "output": "results/tiny"}


def write_grid(folder, runs, **changes):
    """Writes params.yaml and tiny.yaml into a folder; returns the file of the grid."""
    write_yaml(folder / "params.yaml", copy.deepcopy(PARAMS))
    file = folder / "tiny.yaml"
    write_yaml(file, {**GRID, "runs": runs, **changes})
    return file


def write_yaml(path, contents):
    path.write_text(yaml.safe_dump(contents, sort_keys=False))
