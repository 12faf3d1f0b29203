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
    stages = ["recipes", "select@00", "evaluate@00", *INCREMENT, "report"]
    assert experiment["stages"] == stages


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


# Changes of params.yaml, files with one more line, and the stages that run.
TABLE = {
    "loss and recipe of the later tasks": (
        {"method.loss": "ce", "increment.epochs": 2},
        [],
        ["recipes", *INCREMENT, "report"],
    ),
    "a loss that trains the first task, too": (
        {"options.bsce.first_task": True},
        [],
        # All its classes have as many images: the model has the same bytes, and who reads it rests.
        ["recipes", "train@00", "train@01", "report"],
    ),
    "an option of the method": (
        {"options.baseline.temperature": 3.0},
        [],
        ["recipes", *INCREMENT, "report"],
    ),
    "an option of another method": ({"options.lucir.margin": 0.7}, [], ["recipes", "report"]),
    "code of another method": ({}, ["tfcil/methods/podnet.py"], ["recipes"]),
    "code that counts predictions": (
        {},
        ["tfcil/evaluation/matrix.py"],
        ["evaluate@00", "evaluate@01", "report"],
    ),
    "a measure that is asked for": (
        {"measures.recall": [1, 2]},
        [],
        ["recipes", "evaluate@00", "evaluate@01", "report"],
    ),
    "code of a table": ({}, ["tfcil/report/tables.py"], ["report"]),
}


@pytest.mark.parametrize("change", TABLE)
def test_a_change_runs_what_depends_on_it_and_nothing_else(project, change):
    changes, code, stages = TABLE[change]
    project.change(changes, code)
    assert project.repro() == stages


def test_an_option_that_params_yaml_does_not_have_is_added_with_a_plus(project):
    project.change()
    project.repro()
    assert project.repro("exp", "run", "-S", "+options.lucir.margin=0.6") == ["recipes", "report"]
    assert project.params()["options"] == {"lucir": {"margin": 0.6}}


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


@pytest.mark.parametrize(
    ("code", "stages"),
    [
        ("tfcil/losses/distillation.py", {"recipes", "train@00", "train@01"}),
        ("tfcil/data/store.py", {"prepare", *BASE, *INCREMENT}),
    ],
)
def test_code_that_several_stages_run_is_noticed(project, code, stages):
    """The counterpart: a stage that depended on too little would give stale results."""
    project.change()
    project.repro()
    project.change(code=[code])
    assert set(json.loads(project.run("dvc", "status", "--json"))) == stages


def test_code_of_the_method_concerns_the_tasks_it_trains_alone(project):
    """Whoever writes a method does not train the first task again and again."""
    project.change()
    project.repro()
    project.change(code=["tfcil/methods/baseline.py"])
    assert project.repro("repro", "recipes") == ["recipes"]
    assert set(json.loads(project.run("dvc", "status", "--json"))) == {"train@01"}
