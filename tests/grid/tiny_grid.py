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


def contents(folder):
    """What is the same in two runs: all but what tells of times, and what workers print."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in files
        if file.name not in ("record.json", "report.html")
        and file.parent.name != "logs"
        and file.suffix != ".log"
    }
