"""Settings of a tiny experiment, and grids that vary it."""

import yaml
from tiny_params import tiny_params

PARAMS = tiny_params(3, 3, seed=5, memory=12, method={"name": "baseline", "loss": "bsce"})
GRID = {"params": "params.yaml", "title": "Tiny", "seeds": [1, 0], "output": "results/tiny"}


def write_grid(folder, runs, **changes):
    """Writes params.yaml and tiny.yaml into a folder; returns the file of the grid."""
    write_yaml(folder / "params.yaml", PARAMS)
    file = folder / "tiny.yaml"
    write_yaml(file, {**GRID, "runs": runs, **changes})
    return file


def write_yaml(path, contents):
    path.write_text(yaml.safe_dump(contents, sort_keys=False))
