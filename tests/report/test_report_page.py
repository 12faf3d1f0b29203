"""The page says what the files say, escapes what strangers wrote, and loads nothing."""

import csv
import html
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import yaml
from made_up import params_of, write_experiment

from tfcil.errors import UserError
from tfcil.exemplars import ExemplarMemory
from tfcil.files import read_json
from tfcil.report.page.render import points, size
from tfcil.stages.report import report

EVIL = "<script>alert(1)</script>"
FILES = {
    *("accuracy.csv", "accuracy.png", "confused_pairs.csv", "confusion.csv", "matrix.csv"),
    *("measures.csv", "per_class.csv", "report.html", "task_confusion.csv", "training.csv"),
}


def page_of(layout, params):
    report(layout, params)
    return (layout.report / "report.html").read_text(encoding="utf-8")


def rows_of(layout, name):
    with (layout.report / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """An experiment of 3, 2 and 1 classes with its page."""
    layout, params = write_experiment(tmp_path_factory.mktemp("three"), [3, 2, 1])
    return layout, params, page_of(layout, params)


def test_every_figure_on_the_page_is_that_of_metrics(three):
    layout, _, page = three
    metrics = read_json(layout.metrics)
    shown = dict(re.findall(r'data-figure="([\w.]+)" data-value="([^"]*)"', page))
    for name in ("average_incremental_accuracy", "last_accuracy", "old_accuracy", "forgetting"):
        assert float(shown[name]) == metrics[name]
        assert float(shown[f"nme.{name}"]) == metrics["nme"][name]
    error = metrics["measures"]["calibration_error"]
    assert float(shown["measures.calibration_error"]) == error
    assert f"{100 * error:.2f} points" in page
    assert f"{100 * metrics['last_accuracy']:.2f} %" in page
    assert f"{100 * metrics['forgetting']:.2f} points" in page.replace("−", "-")


def test_a_page_without_training_says_so_and_has_no_empty_columns(tmp_path):
    """As closed-form methods leave it: curves without a row, logs without an image."""
    layout, params = write_experiment(tmp_path, [3, 2], epochs=0)
    page = page_of(layout, params)
    assert "No step of training" in page
    assert "of learning without training" in page
    assert not re.search(r"images/s|images passed|Training curves show|of training, ", page)


def test_tables_agree_with_the_evaluations(three):
    layout, _params, _ = three
    assert {file.name for file in layout.report.iterdir()} == FILES
    last = read_json(layout.evaluation("02"))
    confusion = np.array(last["confusion"])
    per_class = rows_of(layout, "per_class.csv")
    assert [int(row["correct"]) for row in per_class] == confusion.diagonal().tolist()
    assert [row["task"] for row in per_class] == ["00"] * 3 + ["01"] * 2 + ["02"]
    assert {row["exemplars"] for row in per_class} == {"3"}  # 20 shared by 6 classes
    matrix = {
        (row["rule"], row["after"], row["task"]): float(row["accuracy"])
        for row in rows_of(layout, "matrix.csv")
    }
    assert len(matrix) == 2 * 6
    for rule in ("cnn", "nme"):
        expected = last["correct"][rule][1] / last["images"][1]
        assert matrix[rule, "02", "01"] == pytest.approx(expected, abs=1e-4)
    measured = {
        row["task"]: (row["measure"], row["value"]) for row in rows_of(layout, "measures.csv")
    }
    assert measured["02"] == ("calibration_error", str(last["measures"]["calibration_error"]))
    assert len(measured) == 3
    between = rows_of(layout, "task_confusion.csv")
    assert sum(int(row["images"]) for row in between) == confusion.sum()
    pairs = rows_of(layout, "confused_pairs.csv")
    errors = confusion.sum() - confusion.trace()
    assert sum(int(row["images"]) for row in pairs) == errors
    assert [int(row["images"]) for row in pairs] == sorted(
        (int(row["images"]) for row in pairs), reverse=True
    )
    terms = {(row["task"], row["term"]) for row in rows_of(layout, "training.csv")}
    assert ("01", "distillation") in terms
    assert ("00", "distillation") not in terms


def test_page_tells_exemplars_times_versions_and_parameters(three):
    page = three[2]
    assert page.count("data:image/png;base64") == 18  # three of each of six classes
    for word in ("exemplar 1 of class number 5", "800 MB", "2 048", "two cores", "weight_decay"):
        assert word in page
    assert "Phases: main, balancing." in page


def test_page_says_whether_figures_are_of_validation_or_test_images(three, tmp_path):
    assert "measured on 30 test images" in three[2]
    page = page_of(*write_experiment(tmp_path, [2, 1], split="validation"))
    assert "Validation figures." in page
    assert "The test images were not looked at." in page
    captions = re.findall(r"<h3>(.*?)</h3>", page)
    assert sum("validation images" in one for one in captions) >= 8
    assert not any("test images" in one for one in captions)


@pytest.mark.parametrize("sizes", [[2, 1], [15, 10]], ids=["squares", "picture"])
def test_names_are_text_wherever_they_stand(tmp_path, sizes):
    names = [f"{EVIL}'\"&{number}" for number in range(sum(sizes))]
    layout, params = write_experiment(tmp_path, sizes, memory=25, names=names)
    page = page_of(layout, params)
    own = {"<script>", '<script type="application/json" id="picture">'}
    assert set(re.findall(r"<script[^>]*>", page)) <= own
    assert page.count("<script") <= 2
    assert html.escape("<script>alert(1)<") in page
    for chart in re.findall(r"data-chart='([^']*)'", page):
        json.loads(html.unescape(chart))
    if sum(sizes) > 20:
        stored = re.search(r'id="picture">(.*?)</script>', page, re.DOTALL)[1]
        assert json.loads(stored)["names"] == names


def test_page_loads_nothing_and_says_so_to_the_browser(three):
    page = three[2]
    assert not re.search(r"https?://", page)
    assert set(re.findall(r'(?:src|href)="([^"#]{5})', page)) == {"data:"}
    assert "url(" not in page
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_equal_experiments_give_equal_bytes(three):
    layout, params, page = three
    before = {file.name: file.read_bytes() for file in layout.report.iterdir()}
    assert page_of(layout, params) == page
    assert {file.name: file.read_bytes() for file in layout.report.iterdir()} == before


def test_one_task_of_one_class(tmp_path):
    page = page_of(*write_experiment(tmp_path, [1], memory=2))
    assert "1 class in 1 task" in page
    assert 'data-figure="forgetting" data-value=""' in page
    assert 'data-figure="nme.forgetting" data-value=""' in page


def test_without_exemplars_there_is_no_nme(tmp_path):
    page = page_of(*write_experiment(tmp_path, [2, 2], memory=0))
    assert "No exemplars were kept" in page
    assert "there is no nearest mean of exemplars" in page
    assert "nme." not in page


def test_missing_logs_curves_names_and_memory_are_said_to_be_missing(tmp_path):
    layout, params = write_experiment(tmp_path, [2, 2])
    layout.log("01").unlink()
    layout.curve("00").unlink()
    layout.class_names("01").unlink()
    layout.memory("01").unlink()
    page = page_of(layout, params)
    assert "No log of task 01" in page
    assert "No training curve of task 00" in page
    assert "The file of the exemplars is missing" in page
    assert "class 3" in page


@pytest.mark.parametrize("name", ["curve", "log", "memory", "class_names"])
def test_damaged_files_are_one_clear_line(tmp_path, name):
    layout, params = write_experiment(tmp_path, [2, 2])
    path = getattr(layout, name)("01")
    path.write_text("damaged")
    with pytest.raises(UserError, match=re.escape(str(path))):
        report(layout, params)


def test_evaluation_that_is_missing_is_one_clear_line(tmp_path):
    layout, params = write_experiment(tmp_path, [2, 2])
    layout.evaluation("01").unlink()
    with pytest.raises(UserError, match=r"01\.json"):
        report(layout, params)


def test_a_thousand_classes_stay_small_and_keep_single_errors(tmp_path):
    """The picture pools classes, and no error is lost in it or in what its tooltip reads."""
    layout, params = write_experiment(tmp_path, [500, *[50] * 10], memory=1000, images=2)
    page = page_of(layout, params)
    assert len(page) < 3e6
    stored = json.loads(re.search(r'id="picture">(.*?)</script>', page, re.DOTALL)[1])
    cells = np.array(stored["cells"]).reshape(-1, 3)
    confusion = np.array(read_json(layout.evaluation("10"))["confusion"])
    np.testing.assert_array_equal(confusion[cells[:, 0], cells[:, 1]], cells[:, 2])
    assert cells[:, 2].sum() == confusion.sum() == 2000


def test_stage_imports_no_framework(tmp_path):
    write_experiment(tmp_path, [2, 2])
    values = params_of([2, 2]).model_dump()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    script = (
        "import sys\nfrom tfcil.stages.run import run_stage\n"
        f"run_stage('report', root={str(tmp_path)!r})\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_exemplars_are_mapped_and_not_read(tmp_path):
    """The memory of a thousand classes may be larger than the machine's."""
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 2), np.uint8)
    labels = np.array([0, 0, 1, 1, 1], np.int32)
    memory = ExemplarMemory(images, labels, np.array([0, 1, 0, 1, 2], np.int32))
    memory.save(tmp_path / "memory.npz")
    kept = ExemplarMemory.load(tmp_path / "memory.npz")
    assert isinstance(kept.images, np.memmap)
    np.testing.assert_array_equal(kept.images, images)
    np.testing.assert_array_equal(kept.images[kept.labels == 1], images[2:])
    assert kept.counts(3).tolist() == [2, 3, 0]


def test_numbers_are_written_as_people_read_them():
    assert size(999) == "999 bytes"
    assert size(157_000) == "157 kB"
    assert size(800_000_000) == "800 MB"
    assert points(-0.0123, sign=True) == "−1.23 points"
    assert points(-1e-9, sign=True) == "0.00 points"


def test_figures_by_class_size_are_on_the_page_and_in_the_tables(tmp_path):
    sizes = [500, 101, 100, 20, 19, 1]
    layout, params = write_experiment(tmp_path, [4, 2], trained_on=sizes)
    page, shots = page_of(layout, params), read_json(layout.metrics)["shots"]
    shown = dict(re.findall(r'data-figure="([\w.]+)" data-value="([^"]*)"', page))
    assert {name: float(shown[f"shots.{name}"]) for name in shots} == shots
    assert "2 of 6 classes, fewer than 20 training images" in page
    assert '<th class="n">trained on</th>' in page
    assert [int(row["trained_on"]) for row in rows_of(layout, "per_class.csv")] == sizes
    rows = rows_of(layout, "shots.csv")
    assert [row["group"] for row in rows] == [*shots, *shots]
    assert float(rows[-1]["accuracy"]) == pytest.approx(shots["worst_class"], abs=1e-4)
    assert rows[2]["accuracy"] == ""  # the first task has no few-shot class
