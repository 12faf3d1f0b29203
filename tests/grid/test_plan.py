"""What a grid file asks for, what its variants share, and which runs are finished."""

import copy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_grid import PARAMS, write_grid, write_yaml
from tiny_params import changed

from tfcil.config.params import Params
from tfcil.errors import UserError
from tfcil.files import write_json
from tfcil.grid.plan import (
    SECTIONS_OF_BASE,
    SECTIONS_OF_DATA,
    base_of,
    code_of,
    code_of_base,
    load_grid,
    plan_runs,
    record_of,
    settings_digest,
)

ROOT = Path(__file__).parents[2]
RUNS = {"replay CE, tau 0.5": {"method.loss": "ce", "memory": 6}, "as it is": {}}


def plan(folder, runs, **changes):
    file = write_grid(folder, runs, **changes)
    return plan_runs(load_grid(file), file, folder / "runs")


def varied(changes):
    return Params.of(changed(PARAMS, changes), source="test")


def test_each_variant_runs_with_each_seed_in_a_folder_of_its_own(tmp_path):
    """All variants with the first seed come first, so that a stopped grid can be compared."""
    runs = plan(tmp_path, RUNS)
    assert [(run.variant, run.seed) for run in runs] == [
        ("replay CE, tau 0.5", 1),
        ("as it is", 1),
        ("replay CE, tau 0.5", 0),
        ("as it is", 0),
    ]
    assert runs[0].folder == tmp_path / "runs" / "replay-ce-tau-0-5" / "seed1"
    assert len({run.folder for run in runs}) == 4


def test_params_of_a_run_are_the_whole_file_with_its_changes_and_nothing_else(tmp_path):
    changed, same, *_ = plan(tmp_path, RUNS | {"new section": {"scenario.order": 7}})
    expected = copy.deepcopy(PARAMS) | {"seed": 1}
    assert yaml.safe_load(same.text) == expected
    expected["method"]["loss"], expected["memory"] = "ce", 6
    assert yaml.safe_load(changed.text) == expected
    assert (changed.params.memory, changed.params.method.loss) == (6, "ce")


def test_section_that_params_leave_out_can_be_varied(tmp_path):
    (run,) = plan(tmp_path, {"order": {"scenario.order": 7}}, seeds=[0])
    assert run.params.scenario.order == 7


@pytest.mark.parametrize("empty", [{}, {"options": None}])
def test_what_variants_share_by_an_anchor_is_changed_in_one_of_them_only(empty, tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "params: params.yaml\ntitle: Tiny\nseeds: [1, 0]\noutput: tiny\nruns:\n"
        "  plain: {options: &own {bsce: {tau: 1.5}}}\n"
        "  half: {options: *own, options.bsce.tau: 0.5}\n"
        "  other: {options.bsce.tau: 0.7}\n"
    )
    write_yaml(tmp_path / "params.yaml", PARAMS | empty)
    runs = plan_runs(load_grid(file), file, tmp_path / "runs")
    assert [run.params.options["bsce"]["tau"] for run in runs] == [1.5, 0.5, 0.7] * 2


@pytest.mark.parametrize("path", ["memory.size", "method.name.short"])
def test_a_key_below_one_that_is_no_section_is_refused(path, tmp_path):
    wrong, right = plan(tmp_path, {"wrong": {path: 3}, "right": {}}, seeds=[1])
    assert wrong.refused.startswith(f"{path}: expected a section {path.split('.')[-2]}. Received:")
    assert right.params


def test_each_seed_may_have_its_class_order(tmp_path):
    """That of a variant comes first."""
    runs = plan(tmp_path, {"all": {}, "one": {"scenario.order": 8}}, orders=["natural", 7])
    orders = [(run.variant, run.seed, run.params.scenario.order) for run in runs]
    assert orders == [("all", 1, "natural"), ("one", 1, 8), ("all", 0, 7), ("one", 0, 8)]


def test_variant_that_is_not_allowed_is_refused_in_one_line_and_the_others_are_not(tmp_path):
    bad, good = plan(tmp_path, {"bad": {"method.los": "ce"}, "good": {}}, seeds=[0])
    assert "method.los: no such key (did you mean loss?)" in bad.refused
    assert bad.record() == {"failed": bad.refused}
    assert not bad.finished
    assert good.params is not None
    assert good.refused == ""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sedes": [1]}, "sedes: no such key (did you mean seeds?)"),
        ({"seeds": [1, 1]}, "Received: seeds=[1, 1]"),
        ({"seeds": []}, "Received: seeds=[]"),
        ({"orders": [7]}, "for each of the 2 seeds. Received: orders=[7]"),
        ({"runs": {"a b": {}, "A-b": {}}}, "Received: 'a b' and 'A-b'"),
        ({"runs": {"a": {"seed": 3}}}, "Received: a.seed"),
        ({"params": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_grid_that_is_wrong_is_told_in_one_line(tmp_path, changes, told):
    with pytest.raises(UserError) as error:
        plan(tmp_path, **{"runs": RUNS, **changes})
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"method.loss": "ce"},
        {"method.name": "replay"},
        {"method.name": "eeil", "method.correction": "balanced_finetuning"},
        {"options.bsce.tau": 0.5},
        {"options.baseline.temperature": 3},
        {"increment.epochs": 9},
        {"memory": 0},
        {"tasks.01.classes": 4},  # and other images
    ],
)
def test_variants_that_train_the_first_task_alike_share_it(changes):
    assert base_of(varied(changes)) == base_of(varied({}))


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 6},
        {"base.epochs": 2},
        {"method.name": "lucir"},  # another head
        {"options.bsce.first_task": True},
        {"scenario.order": 7},
        {"model.backbone": "resnet20"},
        {"tasks.00.classes": 4},
        {"dataset.name": "mnist"},
    ],
)
def test_variants_that_train_the_first_task_otherwise_do_not_share_it(changes):
    assert base_of(varied(changes)) != base_of(varied({}))


def codes(tmp_path, **runs):
    """Digests of the code of each variant, and of its first task."""
    planned = plan(tmp_path, runs, seeds=[0])
    return [code_of(run) for run in planned], [code_of_base(run) for run in planned]


def test_code_of_a_run_is_that_of_its_components(tmp_path):
    """Not of others: a change of another method leaves a finished run as it is."""
    (same, numbers, method, loss, correction), bases = codes(
        tmp_path,
        same={},
        numbers={"memory": 6, "increment.epochs": 3, "options.lucir.margin": 0.1},
        method={"method.name": "icarl"},
        loss={"method.loss": "ce"},
        correction={"method.correction": "balanced_finetuning"},
    )
    assert same == numbers
    assert len({same, method, loss, correction}) == 4
    assert len(set(bases)) == 1


def test_code_of_a_first_task_is_that_of_its_loss(tmp_path):
    _, (same, loss) = codes(tmp_path, same={}, loss={"options.bsce.first_task": True})
    assert same != loss


@pytest.mark.parametrize(
    ("module", "decides"),
    [
        *[("stages.train", True), ("methods.baseline", True), ("evaluation.rules.nme", True)],
        *[("evaluation.measures.calibration_error", True), ("report.results", True)],
        *[("methods.lucir", False), ("grid.page", False), ("report.page.chart", False)],
    ],
)
def test_code_of_a_run_changes_with_what_decides_its_figures_alone(tmp_path, module, decides):
    """In a copy of the package, whose module gets one line more."""
    shutil.copytree(ROOT / "tfcil", tmp_path / "tfcil", ignore=shutil.ignore_patterns("*.pyc"))
    with (tmp_path / "tfcil" / f"{module.replace('.', '/')}.py").open("a") as file:
        file.write("# one line more\n")
    (run,) = plan(tmp_path, {"a": {}}, seeds=[0])
    script = (
        "from tfcil.grid.plan import code_of, load_grid, plan_runs\n"
        "(run,) = plan_runs(load_grid('tiny.yaml'), 'tiny.yaml', 'runs')\n"
        "print(code_of(run))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert (done.stdout.strip() != code_of(run)) == decides


def test_settings_that_are_written_out_are_those_that_are_left_out():
    assert base_of(varied({"model.precision": "float32"})) == base_of(varied({}))


def test_all_that_the_shared_stages_read_decides_who_shares_them():
    """By what the pipeline declares that they read."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    assert set(stages["prepare"]["params"]) <= set(SECTIONS_OF_DATA)
    # Of the tasks, only the first decides the first training.
    read = {*stages["prepare"]["params"], *stages["start"]["params"]}
    assert read - {"tasks"} <= set(SECTIONS_OF_BASE)


def test_a_run_is_finished_when_its_record_is_there_and_of_the_same_settings(tmp_path):
    (run,) = plan(tmp_path, {"a": {}}, seeds=[0])
    assert run.record() is None
    run.folder.mkdir(parents=True)
    (run.folder / "params.yaml").write_text(run.text)
    assert run.record() is None
    write_json(record_of(run.folder), {"failed": "out of memory"})
    assert not run.finished
    write_json(record_of(run.folder), {"seconds": 1.0})
    assert run.finished
    (other,) = plan(tmp_path, {"a": {"memory": 6}}, seeds=[0])
    assert other.folder == run.folder
    assert other.record() is None
    (run.folder / "params.yaml").write_text("tasks: [")
    assert run.record() is None
    (run.folder / "params.yaml").unlink()
    assert run.record() is None


def test_settings_that_are_as_by_default_make_no_other_run(tmp_path):
    """One that tfcil has gained since; but a run with another value of it is another."""
    (run,) = plan(tmp_path, {"a": {}}, seeds=[0])
    values = yaml.safe_load(run.text)
    for machines, same in ((1, True), (2, False)):
        more = values | {"machines": machines, "strategy": "none" if same else "multi_worker"}
        text = yaml.safe_dump(more, sort_keys=same)
        assert (settings_digest(text) == settings_digest(run.text)) == same


@pytest.mark.parametrize("file", (ROOT / "pipelines" / "grids").glob("*.yaml"), ids=str)
def test_every_variant_of_our_own_grids_is_allowed(file):
    runs = plan_runs(load_grid(file), file, "runs")
    assert {run.variant: run.refused for run in runs if run.refused} == {}
