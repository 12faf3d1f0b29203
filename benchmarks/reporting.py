"""What the benchmarks share: results as a JSON file, and a table on the terminal."""

import importlib.metadata
import os
import platform
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tfcil.files import write_json

ROOT = Path(__file__).parents[1]
PACKAGES = ("keras", "tensorflow", "torch", "numpy", "dvc")
# Other work on the same cores moves every wall time: the reader should see it.
LOAD_BEFORE = round(os.getloadavg()[0], 2)


def save(name, results) -> None:
    """Writes benchmarks/results/NAME.json: the results, and what they were measured on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    measured_on = {
        "python": platform.python_version(),
        **versions,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_before": LOAD_BEFORE,
    }
    write_json(ROOT / "benchmarks" / "results" / f"{name}.json", {**results, **measured_on})


def show(title, rows) -> None:
    """Prints a list of dictionaries with equal keys as a table."""
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(
            *(f"{one:.3g}" if isinstance(one, float) else str(one) for one in row.values())
        )
    Console(width=max(110, Console().width)).print(table)
