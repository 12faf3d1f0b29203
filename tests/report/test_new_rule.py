"""One new file is a rule or a measure everywhere: nothing else knows one by name."""

import re
from pathlib import Path

import numpy as np
import pytest
from made_up import write_experiment

from tfcil.evaluation import measures, registry, rules
from tfcil.files import read_json, write_json
from tfcil.grid import page
from tfcil.grid.plan import Grid, Run, record_of
from tfcil.report.compare.comparison import Comparison
from tfcil.report.compare.page import comparison_page
from tfcil.report.experiment import read_experiment
from tfcil.report.summary import print_summary
from tfcil.stages.report import report

PAGE = (Path(__file__).parents[2] / "docs" / "report.md").read_text(encoding="utf-8")
(RULE,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
MEASURE = '''"""How sure the model is."""

from tfcil.evaluation.registry import Measure

MEASURE = Measure("mean confidence", lambda evidence: 0.75)
'''


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The rule of docs/report.md and a measure, each a file that the package finds."""
    for package, name, code in (
        (rules, "nearest_exemplar", RULE),
        (measures, "confidence", MEASURE),
    ):
        folder = tmp_path / package.__name__
        folder.mkdir()
        (folder / f"{name}.py").write_text(code, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    registry.all_rules.cache_clear()
    registry.all_measures.cache_clear()
    yield
    monkeypatch.undo()
    registry.all_rules.cache_clear()
    registry.all_measures.cache_clear()


@pytest.fixture
def experiment(installed, tmp_path):
    """An experiment in whose evaluations the new rule is always right."""
    layout, params = write_experiment(tmp_path / "experiment", [3, 2])
    for key in params.tasks:
        one = read_json(layout.evaluation(key))
        one["correct"]["nearest_exemplar"] = one["images"]
        one["measures"]["confidence"] = 0.75
        write_json(layout.evaluation(key), one)
    return layout, params


def test_rule_of_the_page_predicts_the_class_of_the_most_similar_exemplar(installed):
    class Evidence:
        exemplar_labels = np.array([0, 1, 1])
        exemplar_features = np.array([[1.0, 0.0], [0.0, 9.0], [-1.0, 1.0]])
        features = np.array([[5.0, 1.0], [0.1, 0.2], [-3.0, 2.0]])

    found = registry.all_rules()
    assert list(found) == ["cnn", "nearest_exemplar", "nme"]
    assert found["nearest_exemplar"].predict(Evidence).tolist() == [0, 1, 1]


def test_report_has_it_in_every_table_and_on_the_page(experiment):
    layout, params = experiment
    report(layout, params)
    figures = read_json(layout.metrics)
    assert figures["nearest_exemplar"]["last_accuracy"] == 1
    assert figures["measures"]["confidence"] == 0.75
    for name, column in (("accuracy", "rule"), ("matrix", "rule"), ("measures", "measure")):
        text = (layout.report / f"{name}.csv").read_text()
        assert column in text.splitlines()[0].split(",")
        assert ("confidence" if name == "measures" else "nearest_exemplar") in text
    page = (layout.report / "report.html").read_text(encoding="utf-8")
    assert 'data-figure="nearest_exemplar.last_accuracy" data-value="1.0"' in page
    assert '<th class="n">all (NEAREST EXEMPLAR)</th>' in page
    assert 'data-figure="measures.confidence" data-value="0.75"' in page
    assert "75.00 %" in page


def test_summary_and_comparison_have_it(experiment, capsys, tmp_path):
    layout, params = experiment
    whole = read_experiment(layout, params.model_dump())
    print_summary(whole.results, layout)
    printed = capsys.readouterr().out
    assert "NEAREST EXEMPLAR: average incremental accuracy 1.000" in printed
    assert "0.750" in printed
    compared = Comparison(("a", "b"), (whole, whole))
    names = [change.name for change in compared.headline()]
    assert {"NEAREST EXEMPLAR: last accuracy", "mean confidence"} <= set(names)
    assert "a: nearest exemplar" in comparison_page(compared)


def test_table_of_a_grid_has_it(experiment, tmp_path, monkeypatch):
    # The code of a run is looked up in the package's own folder, where these files are not.
    monkeypatch.setattr(page, "of_other_code", lambda runs, bases: False)
    layout, params = experiment
    report(layout, params)
    run = Run("ours", 0, tmp_path / "run", "text", params)
    run.folder.mkdir()
    (run.folder / "params.yaml").write_text("text")
    record = {"metrics": read_json(layout.metrics), "sample_passes": 1, "code": "one"}
    record |= {"seconds": 1.0, "workers": 1, "machine": "A Processor"}
    write_json(record_of(run.folder), record | {"train_seconds": {"wall": 1.0, "cpu": 1.0}})
    values = {"params": "params.yaml", "title": "A title", "seeds": [0], "runs": {"ours": {}}}
    grid = Grid.of(values | {"output": str(tmp_path / "page")}, source="test")
    page.write_page(grid, [run], "tfcil grid FILE", [])
    text = (tmp_path / "page.md").read_text()
    for title in ("NEAREST EXEMPLAR AIA", "NEAREST EXEMPLAR last", "mean confidence"):
        assert f"| {title} |" in text
    assert "; NEAREST EXEMPLAR: nearest exemplar;" in text
