"""A measure that params.yaml asks for is everywhere; one that it does not leaves every byte."""

import csv
import re

import pytest
import yaml
from tiny_params import tiny_params

from tfcil.files import read_json, write_json
from tfcil.report.experiment import read_results
from tfcil.report.summary import print_summary
from tfcil.stages.layout import Layout
from tfcil.stages.run import run_all, run_stage

PARAMS = tiny_params(3, 2)
ASKED = {"recall": [1, 2]}
FIGURES = [f"recall@{k}{group}" for group in ("", "_old", "_new") for k in (1, 2)]
TASKS = list(PARAMS["tasks"])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """An experiment that asks for nothing: its layout, and the bytes of its files."""
    layout = Layout.of(tmp_path_factory.mktemp("run"))
    layout.params.write_text(yaml.safe_dump(PARAMS, sort_keys=False))
    run_all(layout.root)
    return layout, contents(layout)


def contents(layout):
    return {
        file.relative_to(layout.root).as_posix(): file.read_bytes()
        for file in layout.root.rglob("*")
        if file.is_file()
    }


@pytest.fixture(scope="module")
def asked(run):
    """The same experiment after its settings ask for a measure, and its files."""
    layout, before = run
    params = PARAMS | {"measures": ASKED}
    layout.params.write_text(yaml.safe_dump(params, sort_keys=False))
    run_stage("recipes", root=layout.root)
    for key in TASKS:
        run_stage("evaluate", key, root=layout.root)
    run_stage("report", root=layout.root)
    return layout, before, contents(layout)


def test_nothing_that_decides_a_training_changes(asked):
    _, before, after = asked
    changed = {name for name in after if after[name] != before.get(name)}
    assert changed == {
        *("params.yaml", "recipes/asked.measures.json", "evaluation/00.json", "evaluation/01.json"),
        *("metrics.json", "report/measures.csv", "report/report.html"),
    }


def test_without_it_evaluations_and_metrics_are_the_same_to_the_byte(asked, tmp_path):
    layout, before, _ = asked
    for path in (*map(layout.evaluation, TASKS), layout.metrics):
        figures = read_json(path)
        figures["measures"] = {
            name: value for name, value in figures["measures"].items() if "@" not in name
        }
        write_json(tmp_path / "file.json", figures)
        name = path.relative_to(layout.root).as_posix()
        assert (tmp_path / "file.json").read_bytes() == before[name]


def test_metrics_tables_and_summary_have_every_figure(asked, capsys):
    layout = asked[0]
    measures = read_json(layout.metrics)["measures"]
    assert [name for name in measures if "@" in name] == FIGURES
    assert all(0 <= measures[name] <= 1 for name in FIGURES)
    first, last = (read_json(layout.evaluation(key))["measures"] for key in TASKS)
    assert last == measures
    assert first["recall@1"] == first["recall@1_new"]
    assert "recall@1_old" not in first
    with (layout.report / "measures.csv").open(newline="") as file:
        rows = {(row["task"], row["measure"]): row["value"] for row in csv.DictReader(file)}
    assert rows["01", "recall@2_old"] == str(round(last["recall@2_old"], 4))
    assert rows["00", "recall@2_old"] == ""
    print_summary(read_results(layout, TASKS), layout)
    whole, old, new = (measures[f"recall@1{group}"] for group in ("", "_old", "_new"))
    assert f"recall@1: {whole:.3f}, old {old:.3f}, new {new:.3f}\n" in capsys.readouterr().out


def test_page_has_a_card_and_a_chart_for_each_k(asked):
    layout = asked[0]
    page = (layout.report / "report.html").read_text(encoding="utf-8")
    shown = dict(re.findall(r'data-figure="measures\.([\w@]+)" data-value="([^"]*)"', page))
    assert {name: float(value) for name, value in shown.items()} == read_json(layout.metrics)[
        "measures"
    ]
    for k in (1, 2):
        assert f"<h2>Recall@{k}</h2>" in page
        assert f'aria-label="Recall@{k} after each task"' in page
        for group in ("", " old", " new"):
            assert f'<th class="n">recall@{k}{group}</th>' in page
            assert re.search(rf'<i class="key s\d"></i>recall@{k}{group}</li>', page)
