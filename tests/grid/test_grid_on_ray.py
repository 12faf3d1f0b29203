"""A grid on the machines of a Ray cluster; they are two nodes of Ray on this one."""

import pytest
from tiny_grid import contents, write_grid
from two_machines import two_machines

from tfcil.grid.run import run_grid

pytest.importorskip("ray", reason="needs Ray: pip install 'tfcil[cluster]'")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::ResourceWarning"),
]


def test_a_grid_has_the_files_of_a_grid_on_one_machine(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        file = write_grid(tmp_path / name, {"BSCE": {}, "CE": {"method.loss": "ce"}}, seeds=[3])
        monkeypatch.chdir(tmp_path / name)
        if name == "one":
            assert run_grid(file.name)
        else:
            with two_machines():
                assert run_grid(file.name)
    written = contents(tmp_path / "two" / "runs")
    assert len(written) > 20
    assert written == contents(tmp_path / "one" / "runs")
