"""What a change may re-run, and that it re-runs what it must.

Each test begins at the settings of the first run: what another test ran in between comes back from
DVC's run cache and counts as not run.
"""

import json

import pytest
from tiny_project import PARAMS, contents

BASE = ["train@00", "select@00", "evaluate@00"]
INCREMENT = ["train@01", "select@01", "evaluate@01"]


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_task_is_evaluated_before_the_next_one_is_trained(first_run):
    stages = first_run[1]
    assert sorted(stages[:3]) == ["prepare", "recipes", "start"]
    assert stages[3:] == [*BASE, *INCREMENT, "report"]


def test_nothing_changed_runs_nothing(project):
    project.change()
    project.repro()
    assert project.repro() == []


@pytest.fixture(scope="module")
def experiment(project):
    """`dvc exp run -S memory=6`, what DVC then tells of it, and the way back."""
    project.change()
    project.repro()
    stages = project.repro("exp", "run", "--name", "small", "-S", "memory=6")
    seen = {
        "stages": stages,
        "metrics": metrics(project.folder),
        "show": json.loads(project.run("dvc", "exp", "show", "--json")),
        "diff": json.loads(project.run("dvc", "metrics", "diff", "--json"))["metrics.json"],
    }
    project.change()
    return seen | {
        "stages_back": project.repro(),
        "contents_back": contents(project.folder),
    }


def test_memory_leaves_the_base_training_alone(experiment):
    assert experiment["stages"] == ["select@00", "evaluate@00", *INCREMENT, "report"]


def test_dvc_shows_an_experiment_beside_the_commit_it_began_with(experiment, finished):
    workspace, commit = experiment["show"]
    (ran,) = commit["experiments"]
    assert ran["name"] == "small"
    before, after = metrics(finished), experiment["metrics"]
    assert before != after
    for row, memory, figures in (
        (workspace, 6, after),
        (commit, 12, before),
        (ran["revs"][0], 6, after),
    ):
        assert row["data"]["params"]["params.yaml"]["data"]["memory"] == memory
        assert row["data"]["metrics"]["metrics.json"]["data"] == figures
    difference = experiment["diff"]["nme.average_incremental_accuracy"]
    assert difference["old"] == before["nme"]["average_incremental_accuracy"]
    assert difference["new"] == after["nme"]["average_incremental_accuracy"]


def test_going_back_to_an_earlier_setting_runs_nothing_and_restores_its_files(experiment, finished):
    assert experiment["stages_back"] == []
    assert experiment["contents_back"] == contents(finished)


def test_method_and_recipe_of_the_increments_leave_the_base_task_alone(project):
    """Both at once; neither can run more than the two together."""
    project.change({"method.loss": "ce", "increment.epochs": 2})
    assert project.repro() == ["recipes", *INCREMENT, "report"]


def test_one_more_task_leaves_the_earlier_ones_alone(project):
    project.change({"tasks.02": {"classes": 3, "after": "01", "recipe": "increment"}})
    stages = project.repro()
    assert sorted(stages[:2]) == ["prepare", "recipes"]
    assert stages[2:] == ["train@02", "select@02", "evaluate@02", "report"]


def test_one_task_less_is_not_reported_though_its_files_are_still_there(project):
    project.change({"tasks": {"00": PARAMS["tasks"]["00"]}})
    assert sorted(project.repro()) == ["prepare", "recipes", "report"]
    assert (project.folder / "evaluation" / "01.json").exists()
    only = json.loads((project.folder / "evaluation" / "00.json").read_text())
    figures = metrics(project.folder)
    accuracy = sum(only["correct"]["cnn"]) / sum(only["images"])
    assert figures["last_accuracy"] == figures["average_incremental_accuracy"] == accuracy
    assert figures["forgetting"] is None


def test_code_that_evaluates_trains_nothing(project):
    project.change(code=["tfcil/evaluation.py"])
    assert set(project.repro()) - {"report"} == {"evaluate@00", "evaluate@01"}


def test_code_that_reports_evaluates_nothing(project):
    project.change(code=["tfcil/metrics.py", "tfcil/report/tables.py"])
    assert project.repro() == ["report"]


def test_code_that_trains_is_noticed(project):
    """The counterpart: a stage that depended on too little would give stale results."""
    project.change()
    project.repro()
    project.change(code=["tfcil/losses/distillation.py"])
    assert set(json.loads(project.run("dvc", "status", "--json"))) == {"train@00", "train@01"}


def test_code_of_a_method_concerns_the_tasks_it_trains_alone(project):
    """Whoever writes a method of their own does not train the first task again and again."""
    project.change()
    project.repro()
    project.change(code=["tfcil/methods/podnet.py"])
    assert project.repro() == ["recipes"]
    project.change(code=["tfcil/methods/baseline.py"])
    assert project.repro("repro", "recipes") == ["recipes"]
    assert set(json.loads(project.run("dvc", "status", "--json"))) == {"train@01"}
