"""From evaluations to figures: unequal tasks, hand-computed values, pictures of equal bytes."""

import json

import numpy as np
import pytest

from tfcil.errors import UserError
from tfcil.report.figures import draw_accuracy
from tfcil.report.results import Results
from tfcil.report.summary import print_summary
from tfcil.report.tables import accuracy_table, confusion_table
from tfcil.stages.layout import Layout


def evaluation(task, tasks, images, cnn, classes, nme=None, error=None):
    correct = {"cnn": cnn} if nme is None else {"cnn": cnn, "nme": nme}
    confusion = np.diag(np.arange(1, classes + 1))
    confusion[0, classes - 1] = 7
    return {
        "task": task,
        "tasks": tasks,
        "images": images,
        "correct": correct,
        "confusion": confusion.tolist(),
        "class_sizes": [500] * classes,
        "measures": {} if error is None else {"calibration_error": error},
    }


@pytest.fixture
def evaluations():
    """A base of 3 classes and 30 images, then steps of 2 and 1 classes with 20 and 10 images."""
    return [
        evaluation("00", ["00"], [30], [27], 3, [24], 0.125),
        evaluation("01", ["00", "01"], [30, 20], [24, 12], 5, [21, 14]),
        evaluation("02", ["00", "01", "02"], [30, 20, 10], [15, 14, 4], 6, error=0.25),
    ]


def test_metrics_of_unequal_tasks(evaluations):
    figures = Results(evaluations).metrics()
    curve = [27 / 30, 36 / 50, 33 / 60]
    assert figures["average_incremental_accuracy"] == pytest.approx(np.mean(curve))
    assert figures["last_accuracy"] == pytest.approx(33 / 60)
    # Task 00 fell from 0.9 to 0.5, task 01 rose from 0.6 to 0.7.
    assert figures["forgetting"] == pytest.approx((0.4 - 0.1) / 2)
    assert figures["backward_transfer"] == pytest.approx((-0.4 + 0.1) / 2)
    assert figures["old_accuracy"] == pytest.approx(29 / 50)
    assert figures["new_accuracy"] == pytest.approx(0.4)


def test_nme_is_reported_only_where_every_task_has_it(evaluations):
    assert "nme" not in Results(evaluations).metrics()
    both = Results(evaluations[:2]).metrics()
    assert both["nme"]["last_accuracy"] == pytest.approx(35 / 50)


def test_a_measure_is_that_of_the_last_model_and_undefined_where_it_is_missing(evaluations):
    assert Results(evaluations).measures == {"calibration_error": [0.125, None, 0.25]}
    assert Results(evaluations).metrics()["measures"] == {"calibration_error": 0.25}
    assert Results(evaluations[:2]).metrics()["measures"] == {"calibration_error": None}
    del evaluations[0]["measures"]["calibration_error"]
    assert Results(evaluations[:2]).metrics()["measures"] == {}


def test_an_evaluation_without_the_primary_rule_is_told_in_one_line(evaluations):
    del evaluations[1]["correct"]["cnn"]
    with pytest.raises(UserError, match=r"rule cnn in the evaluation of task 01.*Received: nme"):
        Results(evaluations)


def test_a_single_task_has_no_figures_of_old_classes(evaluations):
    figures = Results(evaluations[:1]).metrics()
    assert figures["forgetting"] is None
    assert figures["old_accuracy"] is None
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_evaluations_of_another_chain_are_refused(evaluations):
    with pytest.raises(UserError, match=r"evaluation of task 02"):
        Results([evaluations[0], evaluations[2]])


def test_evaluations_on_two_splits_are_refused(evaluations):
    """Figures of validation and of test images must never be averaged."""
    assert Results(evaluations).split == "test"
    evaluations[1]["split"] = "validation"
    with pytest.raises(UserError, match="Received: split=test and validation"):
        Results(evaluations)


def test_confusion_between_tasks_adds_up_their_classes(evaluations):
    """Classes 0 to 2 are of task 00, 3 and 4 of task 01, 5 of task 02; 7 images of 0 went to 5."""
    results = Results(evaluations)
    assert results.task_of_class().tolist() == [0, 0, 0, 1, 1, 2]
    assert results.task_confusion().tolist() == [[6, 0, 7], [0, 9, 0], [0, 0, 6]]
    assert results.class_accuracy()[0] == pytest.approx(1 / 8)


def test_tables_hold_a_row_per_task_and_rule_and_per_confusion(evaluations):
    assert list(accuracy_table(Results(evaluations[:2]))) == [
        ["task", "classes", "rule", "all", "old", "new"],
        ["00", 3, "cnn", 0.9, "", 0.9],
        ["01", 5, "cnn", 0.72, 0.8, 0.6],
        ["00", 3, "nme", 0.8, "", 0.8],
        ["01", 5, "nme", 0.7, 0.7, 0.7],
    ]
    results = Results(evaluations)
    _, *rows = accuracy_table(results)
    assert [(task, rule) for task, _, rule, *_ in rows] == [
        (task, "cnn") for task in ("00", "01", "02")
    ]
    header, *rows = confusion_table(results)
    assert header == ["actual", "predicted", "images"]
    assert [0, 5, 7] in rows
    assert len(rows) == 7


def test_summary_names_every_figure_and_where_the_model_is(evaluations, capsys):
    print_summary(Results(evaluations[:2]), Layout())
    shown = capsys.readouterr().out
    for word in ("0.720", "NME", "forgetting 0.100", "models/01.keras", "metrics.json", "0.125"):
        assert word in shown


def test_picture_is_the_same_to_the_byte(evaluations, tmp_path):
    for name in ("1.png", "2.png"):
        draw_accuracy(tmp_path / name, Results(evaluations))
    contents = (tmp_path / "1.png").read_bytes()
    assert contents == (tmp_path / "2.png").read_bytes()
    assert contents.startswith(b"\x89PNG")


def test_balanced_classes_have_no_figures_by_class_size(evaluations, capsys):
    results = Results(evaluations)
    print_summary(results, Layout())
    assert "shots" not in results.metrics()
    assert "few-shot" not in capsys.readouterr().out


def test_figures_by_class_size_of_each_task_and_of_the_last_model(evaluations, capsys):
    """The classes are right but the first, of 8 images of which 7 are taken for the last class."""
    sizes = [101, 100, 20, 19, 1, 500]
    for one in evaluations:
        one["class_sizes"] = sizes[: len(one["confusion"])]
    results = Results(evaluations)
    assert results.shots[0] == {"many": 1 / 8, "medium": 1, "few": None, "worst_class": 1 / 8}
    assert results.metrics()["shots"] == {
        "many": pytest.approx((1 / 8 + 1) / 2),
        "medium": 1,
        "few": 1,
        "worst_class": 1 / 8,
    }
    print_summary(results, Layout())
    line = "500 to 1 training images per class: many-shot classes 0.562"
    assert line in capsys.readouterr().out
