"""Two experiments side by side: what differs, and where revisions are read from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_up import write_experiment

from tfcil.errors import UserError
from tfcil.report.compare.comparison import Change, Comparison
from tfcil.report.compare.page import comparison_page
from tfcil.report.compare.revisions import open_revision
from tfcil.stages.layout import Layout

ROOT = Path(__file__).parents[2]


def make(folder, sizes, **settings):
    """Writes a made-up experiment with its params.yaml."""
    layout, params = write_experiment(folder, sizes, **settings)
    text = yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False)
    layout.params.write_text(text)
    return layout


def compared(tmp_path, *experiments):
    for name, (sizes, settings) in zip("ab", experiments, strict=True):
        make(tmp_path / name, sizes, **settings)
    names = tuple(str(tmp_path / name) for name in "ab")
    both = tuple(open_revision(name, tmp_path / "scratch", Layout.of) for name in names)
    return Comparison(("a", "b"), both)


def test_differences_are_second_minus_first(tmp_path):
    found = compared(tmp_path, ([3, 2], {}), ([3, 2], {"seed": 1, "memory": 10}))
    first, second = (one.results.metrics() for one in found.experiments)
    changes = {change.name: change for change in found.headline()}
    last = changes["last accuracy"]
    assert last.difference == pytest.approx(second["last_accuracy"] - first["last_accuracy"])
    assert "NME: forgetting" in changes
    assert changes["expected calibration error"].second == second["measures"]["calibration_error"]
    assert found.parameters() == [("memory", 20, 10)]
    assert [row["all"].name for row in found.tasks()] == ["00", "01"]
    assert found.tasks()[0]["old"].first is None
    assert sum(change.difference for change in found.classes()) == pytest.approx(
        5 * last.difference
    )
    assert found.warnings() == []


def test_accuracy_by_class_size_is_compared_where_one_experiment_has_it(tmp_path):
    found = compared(tmp_path, ([3, 2], {}), ([3, 2], {"trained_on": [500, 90, 90, 30, 9]}))
    changes = {change.name: change for change in found.headline()}
    assert changes["few-shot classes"].first is None
    assert changes["worst class"].second == found.experiments[1].results.shots[-1]["worst_class"]


def test_each_figure_of_a_measure_with_several_is_compared(tmp_path):
    found = compared(tmp_path, ([3, 2], {}), ([3, 2], {}))
    found.experiments[1].results.measures |= {"recall@1": [1.0, 0.5], "recall@1_old": [None, 0.25]}
    changes = {change.name: change for change in found.headline()}
    assert (changes["recall@1"].first, changes["recall@1"].second) == (None, 0.5)
    assert changes["recall@1 old"].second == 0.25


def test_a_rule_or_measure_that_one_experiment_lacks_is_left_out_or_undefined(tmp_path):
    found = compared(tmp_path, ([3, 2], {}), ([3, 2], {"memory": 0}))
    results = found.experiments[1].results
    assert not any(change.name.startswith("NME") for change in found.headline())
    assert len(found.curves()) == 2
    results.measures.clear()
    (change,) = (one for one in found.headline() if "calibration" in one.name)
    assert (change.second, change.difference, change.verdict) == (None, None, "")
    assert not change.more_is_better


def test_a_fall_of_forgetting_is_good():
    assert Change("forgetting", 0.2, 0.1, more_is_better=False).verdict == "good"
    assert Change("last accuracy", 0.2, 0.1).verdict == "bad"
    assert Change("old", None, 0.1).verdict == Change("same", 0.1, 0.1).verdict == ""


def test_other_tasks_are_compared_as_far_as_they_are_the_same(tmp_path):
    found = compared(tmp_path, ([3, 2], {}), ([3, 2, 1], {}))
    assert len(found.tasks()) == 2
    assert len(found.classes()) == 5
    assert found.warnings()[-1] == "a has 2 tasks and b 3; the first 2 are the same."
    assert "tasks.02.classes" in {key for key, _, _ in found.parameters()}


def test_experiments_without_a_common_task_or_class_still_give_a_page(tmp_path):
    other = {"names": [f"other {number}" for number in range(4)], "split": "validation"}
    found = compared(tmp_path, ([3, 2], {}), ([4], other))
    page = comparison_page(found)
    assert found.tasks() == found.classes() == []
    assert "They have no task in common" in page
    assert "They have no class in common" in page
    assert "a was measured on test images and b on validation images" in page


def test_names_of_classes_and_revisions_are_escaped(tmp_path):
    names = {"names": ["<script>alert(1)</script>", "<b>"]}
    found = compared(tmp_path, ([1, 1], names), ([1, 1], names))
    page = comparison_page(Comparison(("<i>a</i>", "b"), found.experiments))
    assert page.count("<script") == 1
    assert "<i>a</i>" not in page
    assert "<b>" not in page.replace("<b>&lt;i&gt;", "").replace("<b>b</b>", "").replace(
        "<b>Test figures.</b>", ""
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A repository whose results DVC keeps: tag `before`, and other results in the folder."""
    folder = tmp_path_factory.mktemp("repository")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    run(folder, "git", "commit", "--quiet", "--message", "nothing")
    run(folder, "git", "tag", "nothing")
    make(folder, [3, 2])
    results = ("evaluation/00.json", "evaluation/01.json")
    run(folder, "dvc", "add", "--quiet", *results, "models", "logs")
    run(folder, "git", "add", "params.yaml", "models.dvc", "logs.dvc", "evaluation")
    run(folder, "git", "commit", "--quiet", "--message", "state")
    run(folder, "git", "tag", "before")
    for name in ("evaluation", "models", "logs"):
        shutil.rmtree(folder / name)
    make(folder, [3, 2], seed=1, memory=10)
    return folder


def run(folder, *command, check=True):
    who = {
        f"GIT_{one}_{key}": "a@b" for one in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")
    }
    environment = (
        os.environ
        | who
        | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder / ".home"),
            "DVC_SITE_CACHE_DIR": str(folder / ".home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "COLUMNS": "100",
        }
    )
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done


def tfcil(folder, *arguments, check=True):
    return run(folder, sys.executable, "-m", "tfcil", "compare", *arguments, check=check)


def test_a_tag_is_compared_with_the_folder(repository):
    done = tfcil(repository, "before", ".", "--output", "page.html")
    assert "last accuracy" in done.stdout
    assert "memory: 20 -> 10" in done.stdout
    assert "page: page.html" in done.stdout
    assert done.stderr == ""
    page = (repository / "page.html").read_text()
    assert "class number 4" in page
    assert "training time" in page


@pytest.mark.parametrize(
    ("revision", "told"),
    [
        ("no-such-thing", "Expected a Git revision, a tag, a branch, a DVC experiment"),
        ("nothing", "nothing has no params.yaml, so no experiment"),
    ],
)
def test_revisions_that_are_none_are_told_in_one_line(repository, revision, told):
    done = tfcil(repository, revision, ".", check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {told}")
    assert not (repository / "compare.html").exists()


def test_results_that_are_not_in_the_cache_are_told_in_one_line(repository, tmp_path):
    folder = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(repository), str(folder))
    done = tfcil(folder, "before", "before", check=False)
    assert done.returncode == 1
    assert "error: evaluation/00.json of before is neither in DVC's cache" in done.stderr


def test_a_folder_without_results_says_what_to_run(tmp_path):
    layout = make(tmp_path, [2])
    layout.evaluation("00").unlink()
    with pytest.raises(UserError, match="has no results of task 00 here: run the experiment"):
        open_revision(str(tmp_path), tmp_path, Layout.of)


def test_without_dvc_a_revision_needs_it_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvc.api", None)
    with pytest.raises(UserError, match=r"pip install 'tfcil\[dvc\]'"):
        open_revision("HEAD", tmp_path, Layout.of)
