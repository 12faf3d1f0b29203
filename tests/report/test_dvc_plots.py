"""`dvc plots show` draws the curves of the page."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from made_up import write_experiment

from tfcil.stages.report import report

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def plots(tmp_path_factory):
    """What `dvc plots show --json` says of a made-up experiment."""
    folder = tmp_path_factory.mktemp("plots")
    layout, params = write_experiment(folder, [3, 2])
    report(layout, params)
    layout.params.write_text(yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False))
    shutil.copy(ROOT / "dvc.yaml", folder)
    shutil.copytree(ROOT / "pipelines" / "plots", folder / "pipelines" / "plots")
    environment = os.environ | {"HOME": str(folder), "DVC_SITE_CACHE_DIR": str(folder / "site")}
    for command in (["init", "--quiet", "--no-scm"], ["plots", "show", "--json"]):
        done = subprocess.run(
            [Path(sys.executable).with_name("dvc"), *command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def drawing(plots, title):
    """The filled template: what Vega is told to draw."""
    (one,) = plots["data"][title]
    return one["content"]


def points(plots, title):
    (one,) = plots["data"][title]
    return one["content"]["data"]["values"]


def test_every_plot_is_drawn(plots):
    assert "errors" not in plots
    assert list(plots["data"]) == [
        "Accuracy on all classes seen so far",
        "Accuracy on old and new classes",
        "Measures",
        "Accuracy by task",
        "Confusion after the last task",
        "Accuracy of each class",
        "Training",
    ]
    assert "<DVC_METRIC" not in json.dumps(plots)


def test_plots_have_the_numbers_of_the_tables(plots):
    curve = points(plots, "Accuracy on all classes seen so far")
    assert [(one["rule"], one["field"], one["classes"]) for one in curve] == [
        *(("cnn", "all", "3"), ("cnn", "all", "5")),
        *(("nme", "all", "3"), ("nme", "all", "5")),
    ]
    parts = points(plots, "Accuracy on old and new classes")
    assert {(one["rule"], one["field"]) for one in parts} == {
        *(("cnn", "old"), ("cnn", "new")),
        *(("nme", "old"), ("nme", "new")),
    }
    # The template leaves out what is empty: there are no old classes after the first task.
    assert next(one["dvc_inferred_y_value"] for one in parts if one["field"] == "old") == ""
    measured = points(plots, "Measures")
    assert [(one["measure"], one["classes"], one["value"]) for one in measured] == [
        *(("calibration_error", "3", "0.03"), ("calibration_error", "5", "0.06")),
    ]
    assert len(points(plots, "Accuracy by task")) == 2 * 3
    assert sum(int(one["images"]) for one in points(plots, "Confusion after the last task")) == 25
    assert len(points(plots, "Accuracy of each class")) == 5
    training = points(plots, "Training")
    assert {one["term"] for one in training if one["task"] == "01"} == {
        *("loss", "accuracy", "classification", "distillation"),
    }


def test_every_rule_has_its_line_and_its_matrix(plots):
    """No template names a rule: the column `rule` tells the lines apart."""
    for title in ("Accuracy on all classes seen so far", "Accuracy on old and new classes"):
        drawn = drawing(plots, title)
        assert drawn["encoding"]["color"]["field"] == "line"
        line = {"calculate": "datum.rule + ', ' + datum.field", "as": "line"}
        assert line in drawn["transform"]
    assert drawing(plots, "Accuracy by task")["facet"]["row"]["field"] == "rule"
    assert drawing(plots, "Measures")["facet"]["field"] == "measure"
