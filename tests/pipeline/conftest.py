"""A tiny experiment, run once by DVC as a user runs it; what comes of it is shared by the tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("dvc.yaml", ".dvc/config", ".dvcignore", ".gitignore", "pipelines", "tfcil")
OUTS = (
    *("data", "recipes", "models", "memory", "features", "curves", "evaluation", "report"),
    "metrics.json",
)
RECIPE = {"epochs": 1, "batch_size": 16, "learning_rate": 0.05, "crop_padding": 2}
PARAMS = {
    "seed": 5,
    "memory": 12,
    "strategy": "none",
    "dataset": {"name": "omniglot100"},
    "scenario": {"order": "lucir_1993"},
    "tasks": {
        "00": {"classes": 3, "after": "start", "recipe": "base"},
        "01": {"classes": 3, "after": "00", "recipe": "increment"},
    },
    "exemplars": {"selection": "herding", "per_class": None},
    "model": {"backbone": "simple_cnn"},
    "method": {"name": "baseline", "loss": "bsce"},
    "base": RECIPE,
    "increment": RECIPE,
}


class Project:
    """A folder with the pipeline and its code, and the commands of a person who works in it."""

    def __init__(self, folder, home):
        self.folder = Path(folder)
        self._environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder),
            "CI": "1",
            # Nothing of DVC and git lies outside the tests' folder, or comes from there.
            "HOME": str(home),
            "DVC_SITE_CACHE_DIR": str(home / "dvc"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "A Person" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "person@example.org" for who in ("AUTHOR", "COMMITTER")},
        }

    def run(self, *command):
        """Runs a command here and returns what it printed; a failure shows all of it."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def commit(self):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "state")

    def repro(self, *command):
        """Runs `dvc repro`, or another command that does; returns the stages that really ran."""
        return stages_run(self.run("dvc", *(command or ("repro",))))

    def change(self, changes=(), code=()):
        """Sets params.yaml to the first one with some changes, and the code to the committed one.

        Args:
            changes: mapping from "section.key" to a value.
            code: files that get one more line of comment.
        """
        self.run("git", "checkout", "--quiet", "--", "params.yaml", "tfcil")
        params = yaml.safe_load((self.folder / "params.yaml").read_text())
        for path, value in dict(changes).items():
            *sections, key = path.split(".")
            section = params
            for name in sections:
                section = section[name]
            section[key] = value
        (self.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
        for file in code:
            with (self.folder / file).open("a", encoding="utf-8") as source:
                source.write("# one more line\n")


def stages_run(printed):
    """Reads the names of the stages that ran, and were not skipped, off DVC's messages."""
    return re.findall(r"^Running stage '(.+)':", printed, flags=re.MULTILINE)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def committed(tmp_path_factory, home):
    """A repository with one commit: the working tree's pipeline and code, and tiny settings."""
    folder = tmp_path_factory.mktemp("committed") / "project"
    for name in COPIED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    (folder / "params.yaml").write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    project = Project(folder, home)
    project.run("git", "init", "--quiet")
    project.commit()
    return project


@pytest.fixture(scope="session")
def clone(committed, home, tmp_path_factory):
    """Makes a clone of the repository as it was before anything ran."""

    def make(name):
        folder = tmp_path_factory.mktemp(name) / "project"
        committed.run("git", "clone", "--quiet", str(committed.folder), str(folder))
        return Project(folder, home)

    return make


@pytest.fixture(scope="session")
def first_run(clone):
    """A clone after its first `dvc repro`, committed; and the stages that ran, in their order."""
    project = clone("first")
    stages = project.repro()
    project.commit()
    return project, stages


@pytest.fixture(scope="session")
def project(first_run):
    """The clone that tests may change, each starting from `Project.change`."""
    return first_run[0]


@pytest.fixture(scope="session")
def finished(first_run, tmp_path_factory):
    """A copy of all the first run wrote, which no test changes."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(first_run[0].folder, folder, ignore=shutil.ignore_patterns(".git", "cache"))
    return folder
