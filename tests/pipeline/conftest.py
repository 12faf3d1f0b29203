"""A tiny experiment, run once by DVC as a person runs it; the tests share its results."""

import shutil

import pytest
from tiny_project import create


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """Stands for the home folder of the person."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def clone(tmp_path_factory, home):
    """Makes clones of a repository in which nothing has run yet."""
    origin = create(tmp_path_factory.mktemp("origin") / "project", home)

    return lambda name: origin.clone(tmp_path_factory.mktemp(name) / "project")


@pytest.fixture(scope="session")
def first_run(clone):
    """A clone after its first `dvc repro`, committed; and the stages that ran, in their order."""
    project = clone("first")
    stages = project.repro()
    project.commit()
    return project, stages


@pytest.fixture(scope="session")
def finished(first_run, tmp_path_factory):
    """A copy of the project after the first run, which no test changes."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    shutil.copytree(first_run[0].folder, folder, ignore=shutil.ignore_patterns(".git", "cache"))
    return folder


@pytest.fixture(scope="session")
def project(first_run, finished):
    """The project after the first run; tests change it, each beginning with `Project.change`."""
    return first_run[0]
