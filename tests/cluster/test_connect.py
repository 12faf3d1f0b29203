"""Nothing of Ray is imported where nobody asks for it, and one line names what is missing."""

import os
import subprocess
import sys

import pytest
import yaml
from tiny_params import tiny_params

from tfcil.cluster.connect import connect, environment
from tfcil.errors import UserError
from tfcil.stages.on_machines import facts
from tfcil.stages.run import run_all


@pytest.mark.parametrize(
    ("address", "told"),
    [(None, "Expected RAY_ADDRESS to name a Ray cluster"), ("one:6379", "pip install 'tfcil\\[cl")],
)
def test_what_is_missing_is_told_before_any_work(address, told, tmp_path, monkeypatch):
    params = tiny_params(3, 3) | {"strategy": "multi_worker", "machines": 2}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(UserError, match=told):
        run_all(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["params.yaml"]


def test_a_cluster_that_does_not_answer_is_told(monkeypatch):
    pytest.importorskip("ray", reason="needs Ray: pip install 'tfcil[cluster]'")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match=r"Received: RAY_ADDRESS=127\.0\.0\.1:1"):
        connect()


def test_a_machine_without_the_project_folder_is_told(tmp_path):
    with pytest.raises(UserError, match=r"on every machine\. Received: .*params\.yaml"):
        facts([tmp_path / "params.yaml"])


def test_stages_grids_and_the_command_line_import_nothing_of_ray():
    script = (
        "import sys\n"
        "sys.modules['ray'] = None\n"  # importing it would fail
        "import tfcil.cli, tfcil.cluster.together, tfcil.grid.ray_pool, tfcil.grid.run\n"
        "import tfcil.stages.on_machines\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_processes_take_over_what_decides_a_training_and_no_secrets(monkeypatch):
    inherited = {"TF_NUM_INTRAOP_THREADS": "3", "TFDS_DATA_DIR": "/images", "OMP_NUM_THREADS": "3"}
    others = {"TF_CONFIG": "{}", "TF_TOKEN_app": "secret", "CI_JOB_TOKEN": "secret"}
    for name, value in (inherited | others).items():
        monkeypatch.setenv(name, value)
    given = environment(OMP_NUM_THREADS="1")["env_vars"]
    expected = inherited | {"OMP_NUM_THREADS": "1"}
    assert {name: given[name] for name in expected} == expected
    assert others.keys() & given.keys() == set()
    assert given.keys() <= os.environ.keys()
