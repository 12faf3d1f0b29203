"""A folder with the pipeline, its code and tiny settings, and the commands of a person in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("dvc.yaml", ".dvc/config", ".dvcignore", ".gitignore", "pipelines", "tfcil")
OUTS = (
    *("data", "recipes", "models", "memory", "features", "curves", "logs", "evaluation", "report"),
    "metrics.json",
)
TOLD = ("logs/", "report/report.html")  # time and memory: not the same in two runs
RECIPE = {"epochs": 1, "batch_size": 16, "learning_rate": 0.05, "crop_padding": 2}
PARAMS = {
    "seed": 5,
    "memory": 12,
    "validation": 0.0,
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
    "options": {},
    # Copies: YAML would write one dictionary that stands twice as an alias.
    "base": dict(RECIPE),
    "increment": dict(RECIPE),
}


class Project:
    """A project folder, and commands that run in it.

    Args:
        folder: the project.
        home: folder that stands for the person's home.
    """

    def __init__(self, folder, home):
        self.folder = Path(folder)
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.folder),
            "CI": "1",
            # Settings of whoever runs the tests have no part in them, and nothing is left behind.
            "HOME": str(home),
            "DVC_SITE_CACHE_DIR": str(Path(home) / "dvc"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "A Person" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "person@example.org" for who in ("AUTHOR", "COMMITTER")},
        }

    def run(self, *command):
        """Runs a command and returns what it printed; if it fails, the test tells all of it."""
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def repro(self, *command):
        """Runs `dvc repro`, or another command of DVC; returns the stages that really ran."""
        printed = self.run("dvc", *(command or ["repro"]))
        return re.findall(r"^Running stage '(.+)':", printed, flags=re.MULTILINE)

    def params(self):
        """Reads params.yaml."""
        return yaml.safe_load((self.folder / "params.yaml").read_text())

    def clone(self, folder):
        """Clones the repository, as it was committed, into a project that has the same home."""
        self.run("git", "clone", "--quiet", str(self.folder), str(folder))
        return Project(folder, self.environment["HOME"])

    def commit(self):
        """Commits all there is."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", "state")

    def change(self, changes=(), code=()):
        """Puts the committed settings and code in place, with some changes.

        Args:
            changes: dictionary from "section.key" to the value it gets in params.yaml.
            code: files that get one more line of comment.
        """
        self.run("git", "checkout", "--quiet", "--", "params.yaml", "tfcil")
        if changes:
            params = self.params()
            for name, value in changes.items():
                *sections, key = name.split(".")
                section = params
                for one in sections:
                    section = section.setdefault(one, {})
                section[key] = value
            text = yaml.safe_dump(params, sort_keys=False)
            (self.folder / "params.yaml").write_text(text)
        for name in code:
            with (self.folder / name).open("a") as file:
                file.write("# one more line\n")


def create(folder, home):
    """Makes a repository with one commit: the pipeline and code as they are here, tiny settings."""
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


def contents(folder):
    """Reads every file among a project's outputs: name to bytes."""
    files = [file for name in OUTS for file in (folder / name, *(folder / name).rglob("*"))]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}
