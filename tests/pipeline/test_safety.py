"""params.yaml of a stranger runs no command: keys stand in the commands of stages."""

import subprocess

import pytest
from tiny_project import create


@pytest.mark.parametrize(
    "command",
    [
        ["dvc", "repro"],
        ["dvc", "repro", "--keep-going"],
        ["dvc", "repro", "--single-item", "train@00; touch harm"],
    ],
    ids=["all", "keep going", "one stage alone"],
)
def test_a_task_named_like_a_command_is_refused_before_any_stage_has_its_name(
    tmp_path, home, command
):
    project = create(tmp_path / "project", home)
    path = project.folder / "params.yaml"
    path.write_text(path.read_text().replace("'00'", "'00; touch harm'"))
    assert "touch harm" in path.read_text()
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True
    )
    assert done.returncode != 0
    assert not (project.folder / "harm").exists()
    assert "Traceback" not in done.stderr
    if "--single-item" not in command:
        assert "Received: tasks.00; touch harm=" in done.stderr
