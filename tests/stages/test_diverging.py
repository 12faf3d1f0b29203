"""A learning rate far too high: one line with task and epoch, and earlier tasks as they were."""

import pytest
import yaml
from tiny_params import tiny_params

from tfcil.errors import UserError
from tfcil.stages.run import run_all

RECIPE = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "schedule": "constant"}
PARAMS = tiny_params(2, 2, base=RECIPE, increment=RECIPE | {"learning_rate": 1e25})


def contents(folder):
    return {
        str(path): path.read_bytes() for path in sorted(folder.rglob("*00.*")) if path.is_file()
    }


def test_it_stops_with_a_line_and_goes_on_with_another_rate(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(PARAMS))
    with pytest.raises(
        UserError, match=r"^task 01 \(2 of 2\): The loss stopped being finite in epoch [12] of 2: "
    ):
        run_all(tmp_path)
    assert not (tmp_path / "models" / "01.keras").exists()
    before = contents(tmp_path)
    assert str(tmp_path / "models" / "00.keras") in before
    path.write_text(yaml.safe_dump(PARAMS | {"increment": dict(RECIPE)}))
    run_all(tmp_path)
    assert contents(tmp_path) == before
    assert (tmp_path / "metrics.json").exists()
