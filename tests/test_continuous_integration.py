"""The workflow, the hooks before a commit, the lock and pyproject.toml say the same."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def test_the_workflow_runs_the_script_on_every_python_that_is_promised():
    job = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["ci"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    promised = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert job["strategy"]["matrix"]["python"] == promised
    assert project["requires-python"] == f">={promised[0]}"
    assert job["steps"][-1] == {
        "run": ".ci/run",
        "env": {"PYTHON": "python${{ matrix.python }}"},
    }


def test_actions_are_pinned_to_a_commit():
    """A tag can be moved to other code."""
    used = re.findall(r"uses: (.+)", WORKFLOW.read_text(encoding="utf-8"))
    assert len(used) > 1
    for action in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_ruff_is_the_same_before_a_commit_and_in_the_lock():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    [ruff] = [repo for repo in hooks["repos"] if "ruff" in repo["repo"]]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert f"\nruff=={ruff['rev'].removeprefix('v')} " in lock
