"""A small experiment that holds images out of training, run once; the tests share its files."""

import pytest
import yaml
from tiny_params import RECIPE, tiny_params

from tfcil.stages.run import run_all


@pytest.fixture(scope="session")
def experiment(tmp_path_factory):
    """The folder of an experiment with a task of eight classes and one of four."""
    folder = tmp_path_factory.mktemp("experiment")
    recipe = RECIPE | {"epochs": 12, "learning_rate": 0.1}
    sections = {"base": dict(recipe), "increment": dict(recipe), "validation": 0.4, "memory": 24}
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny_params(8, 4, **sections)))
    run_all(folder)
    return folder
