"""A tiny grid as a person runs it: stopped, started again, with variants that can't be run."""

import csv
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_grid import PARAMS, contents, write_grid

from tfcil.cli import main
from tfcil.errors import UserError
from tfcil.files import read_json, write_json
from tfcil.grid import worker
from tfcil.grid.kept import keep, restore
from tfcil.grid.plan import base_of, data_of, load_grid, plan_runs
from tfcil.grid.pool import worker_environment
from tfcil.grid.run import BASES, DATA, run_grid

ROOT = Path(__file__).parents[2]
RUNS = {
    "baseline CE": {"method.loss": "ce"},
    "baseline BSCE": {"method.loss": "bsce"},
    "two new classes": {"tasks.01.classes": 2},
    "one task": {"tasks": {"00": PARAMS["tasks"]["00"]}},
    "refused": {"method.loss": "focal"},
    "broken": {"tasks.01.classes": ["panda"]},
}


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """The folder, and a record after each of two calls: of one variant, and of the whole grid."""
    folder = tmp_path_factory.mktemp("grid")
    file = write_grid(folder, RUNS, seeds=[3])
    half_done = folder / "runs" / "tiny" / "baseline-ce" / ".seed3.partial"
    (half_done / "models").mkdir(parents=True)
    (half_done / "models" / "00.keras").write_text("half a model")
    record = folder / "runs" / "tiny" / "baseline-ce" / "seed3" / "record.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main(["grid", file.name, "--only", "baseline CE"])
        first = read_json(record), (folder / "results" / "tiny.md").read_text()
        with pytest.raises(SystemExit) as ended:
            main(["grid", file.name, "--workers", "1"])
    assert ended.value.code == 1
    return folder, first, read_json(record)


@pytest.mark.parametrize("variant", ["baseline-bsce", "two-new-classes"])
def test_a_run_has_the_bytes_of_the_same_experiment_alone(grid, tmp_path, variant):
    """Those of variants which took over the first task that another had trained.

    One has other images from the second task on.
    """
    run = grid[0] / "runs" / "tiny" / variant / "seed3"
    (tmp_path / "params.yaml").write_bytes((run / "params.yaml").read_bytes())
    environment = os.environ | worker_environment() | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tfcil", "run"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    expected, received = contents(tmp_path), contents(run)
    assert {"models/01.keras", "memory/01.npz", "metrics.json"} <= set(expected)
    assert sorted(received) == sorted(expected)
    assert [name for name in expected if received[name] != expected[name]] == []


def test_half_a_run_is_done_again_and_a_finished_one_is_not(grid):
    folder, (first, _), second = grid
    assert first == second
    assert sorted(os.listdir(folder / "runs" / "tiny" / "baseline-ce")) == ["seed3"]


def test_a_finished_grid_only_writes_its_page_again(grid, tmp_path, monkeypatch, capsys):
    """Also when its first tasks are gone, or would be called otherwise by now."""
    again = tmp_path / "again"
    shutil.copytree(grid[0], again)
    shutil.rmtree(again / "runs" / "tiny" / ".bases")
    shutil.rmtree(again / "results")
    monkeypatch.chdir(again)
    main(["grid", "tiny.yaml", "--only", "baseline CE", "--only", "baseline BSCE"])
    assert "2 runs, 2 of them finished" in capsys.readouterr().out
    page, before = (one / "results" / "tiny.md" for one in (again, grid[0]))
    rows = [line for line in before.read_text().splitlines() if line.startswith("| baseline")]
    assert len(rows) == 3
    assert set(rows) <= set(page.read_text().splitlines())


def test_a_clone_goes_on_from_the_records_next_to_the_page(grid, tmp_path, monkeypatch, capsys):
    """It has no runs/. A run whose settings have changed since is done again."""
    clone = tmp_path / "clone"
    shutil.copytree(grid[0], clone, ignore=shutil.ignore_patterns("runs"))
    monkeypatch.chdir(clone)
    main(["grid", "tiny.yaml", "--recorded", "--only", "baseline CE", "--only", "baseline BSCE"])
    assert "2 runs, 2 of them finished" in capsys.readouterr().out
    page, before = (one / "results" / "tiny.md" for one in (clone, grid[0]))
    assert page.read_text().split("## Failed")[0] == before.read_text().split("## Failed")[0]
    changed = load_grid("tiny.yaml")
    changed.runs["baseline BSCE"]["options.bsce.tau"] = 0.5
    runs = plan_runs(changed, "tiny.yaml", tmp_path / "elsewhere")[:2]
    restore(changed, runs)
    assert [run.finished for run in runs] == [True, False]
    before = read_json("results/tiny.json")
    keep(
        load_grid("tiny.yaml"), plan_runs(load_grid("tiny.yaml"), "tiny.yaml", tmp_path / "no"), {}
    )
    assert read_json("results/tiny.json") == before  # nobody's records are lost


def test_figures_of_other_code_are_told(grid, tmp_path, monkeypatch, capsys):
    again = tmp_path / "again"
    shutil.copytree(grid[0], again)
    record = again / "runs" / "tiny" / "baseline-ce" / "seed3" / "record.json"
    write_json(record, read_json(record) | {"code": "another"})
    monkeypatch.chdir(again)
    main(["grid", "tiny.yaml", "--only", "baseline CE"])
    assert "finished by another version of the code" in capsys.readouterr().out
    warning = "**Some runs were made by another version of the code.**"
    assert warning in (again / "results" / "tiny.md").read_text()
    assert warning not in (grid[0] / "results" / "tiny.md").read_text()


def test_first_task_is_trained_once_for_both_variants(grid):
    folder, (first, _), _ = grid
    other = read_json(folder / "runs" / "tiny" / "baseline-bsce" / "seed3" / "record.json")
    assert os.listdir(folder / "runs" / "tiny" / ".bases") == [first["base"]]
    assert other["base"] == first["base"]


def test_record_counts_the_increments_alone(grid):
    folder, _, record = grid
    curve = folder / "runs" / "tiny" / "baseline-ce" / "seed3" / "curves" / "01.csv"
    with curve.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert record["sample_passes"] == int(row["images"]) > 0
    assert 0 < record["train_seconds"]["cpu"] < record["seconds"]
    assert record["metrics"]["nme"]["last_accuracy"] > 0


def test_the_first_task_counts_where_there_is_no_other(grid):
    run = grid[0] / "runs" / "tiny" / "one-task" / "seed3"
    record, log = read_json(run / "record.json"), read_json(run / "logs" / "00.json")
    assert record["sample_passes"] == log["images"] > 0
    assert record["train_seconds"] == {"wall": log["seconds"], "cpu": log["cpu_seconds"]}
    assert log["cpu_seconds"] > 0


def test_a_run_that_was_stopped_goes_on(grid, tmp_path, monkeypatch):
    """Stopped after the training of the second task, which is not trained again."""
    file = grid[0] / "tiny.yaml"
    runs = plan_runs(load_grid(file), file, grid[0] / "runs" / "tiny")
    (run,) = (one for one in runs if one.variant == "baseline BSCE")
    shared = run.folder.parents[1]
    rest = run.text, shared / DATA / data_of(run.params), shared / BASES / base_of(run.params)

    def stage(name, real=worker._stage):
        def stopped(layout, params, key):
            if key == "01":
                raise KeyboardInterrupt
            real(name)(layout, params, key)

        return stopped if name == "select" else real(name)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "_stage", stage)
        with pytest.raises(KeyboardInterrupt):
            worker.run_variant(tmp_path / "run", *rest, "code", 1, 1)
    trained = (tmp_path / ".run.partial" / "logs" / "01.json").read_bytes()
    record = worker.run_variant(tmp_path / "run", *rest, "code", 1, 1)
    assert sorted(os.listdir(tmp_path)) == ["run"]
    assert (tmp_path / "run" / "logs" / "01.json").read_bytes() == trained
    assert record["seconds"] >= record["train_seconds"]["wall"] > 0
    worker.run_variant(tmp_path / "whole", *rest, "code", 1, 1)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_variants_that_can_not_be_run_stop_no_other_and_are_told(grid):
    folder, (_, page_of_first), _ = grid
    page = (folder / "results" / "tiny.md").read_text()
    finished, _, failed = page.partition("## Failed runs")
    assert "| baseline CE |" in finished
    assert "| baseline BSCE |" in finished
    assert "seed 3, refused: `params.yaml: method.loss:" in failed
    assert "seed 3, broken: `" in failed
    assert "panda" in failed
    assert "* seed 3, baseline BSCE" in page_of_first.partition("## Not run yet")[2]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "baseline C"], "(did you mean baseline CE?). Received: only=baseline C"),
        (["--workers", "0"], "Received: workers=0"),
    ],
)
def test_wrong_option_is_told_in_one_line(tmp_path, monkeypatch, capsys, options, told):
    monkeypatch.chdir(tmp_path)
    write_grid(tmp_path, RUNS)
    with pytest.raises(SystemExit):
        main(["grid", "tiny.yaml", *options])
    assert capsys.readouterr().err.strip().endswith(told)
    assert not (tmp_path / "runs").exists()


def test_a_grid_that_another_command_runs_is_left_alone(tmp_path, monkeypatch):
    """Both would train in the same folders."""
    monkeypatch.chdir(tmp_path)
    file = write_grid(tmp_path, {"BSCE": {}}, seeds=[3])
    lock = tmp_path / "runs" / "tiny" / ".lock"
    lock.parent.mkdir(parents=True)
    with open(lock, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(UserError, match=r"no other `tfcil grid` .* Received: runs/tiny in use"):
            run_grid(file.name)
    assert os.listdir(lock.parent) == [".lock"]
