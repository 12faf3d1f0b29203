"""tfcil check: a model that forgot old classes is stopped, and noise of few images is not."""

import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from tfcil.cli import main
from tfcil.errors import UserError
from tfcil.files import write_json
from tfcil.release.check import Check, Fall, Limits, chance_of_fall, check_model

NAMES = ["ant", "bee", "cow", "dog"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two tasks of two classes with ten test images each: every answer is right."""
    monkeypatch.chdir(tmp_path)
    for key, classes in (("00", 2), ("01", 4)):
        write_hits(key, [10] * classes)
        write_json(f"models/{key}.json", {"classes": NAMES[:classes]})
    return tmp_path


def write_hits(key, hits, images=10, **changes):
    """Writes an evaluation: so many right answers of each class; the others go to the next."""
    confusion = np.diag(hits) + np.roll(np.diag(images - np.array(hits)), 1, axis=1)
    evaluation = {
        "split": "test",
        "tasks": ["00", "01"][: len(hits) // 2],
        "images": [2 * images] * (len(hits) // 2),
        "correct": {"cnn": np.reshape(hits, (-1, 2)).sum(axis=1).tolist()},
        "confusion": confusion.tolist(),
        "measures": {"calibration_error": 0.05},
    }
    write_json(f"evaluation/{key}.json", evaluation | changes)


def check(capsys, *options):
    """Exit status and printed lines of the command."""
    try:
        main(["check", "models/01.keras", "--against", "models/00.keras", *options])
    except SystemExit as ended:
        return ended.code, capsys.readouterr().out
    return 0, capsys.readouterr().out


def test_chance_by_hand():
    """5 of 5, then 1 of 5: 6 right answers among 10, 5 drawn, 1 right at most: 6 / 252.

    5 of 5, then 0 of 5: one of the C(10, 5) = 252 ways. The same accuracy is no fall.
    """
    assert chance_of_fall(5, 5, 1) == pytest.approx(6 / 252)
    assert chance_of_fall(5, 5, 0) == pytest.approx(1 / 252)
    assert chance_of_fall(50, 30, 30) > 0.5


def test_a_class_that_is_lost_fails_the_check_by_name(project, capsys):
    write_hits("01", [10, 1, 10, 10])
    status, printed = check(capsys, "--total-drop", "100")
    assert status == 1
    assert "failed: lost more than 10 points: bee\n" in printed
    assert [line for line in printed.splitlines() if "bee" in line and "-90.0" in line]


def test_a_fall_that_may_be_chance_does_not_fail(project, capsys):
    """10 of 10, then 8 of 10: 20 points, but p = C(18, 8) / C(20, 10) = 0.24."""
    write_hits("01", [10, 8, 10, 10])
    status, printed = check(capsys, "--total-drop", "100")
    assert status == 0
    [row] = [line for line in printed.splitlines() if "bee" in line]
    assert "may be chance" in row
    assert "0.24" in row
    assert check(capsys, "--total-drop", "100", "--level", "0.3")[0] == 1


def test_how_many_images_each_figure_rests_on_is_said(project, capsys):
    assert "each judged on 10 test images" in check(capsys)[1]


def test_classes_that_no_fall_can_fail_are_counted():
    """Of 4 images: 4 right, then 0 right has p = 1 / C(8, 4) = 1 / 70, above 0.01."""
    few = Fall("few", 4, 4, 4)
    enough = Fall("enough", 5, 5, 5)
    lost_before = Fall("lost before", 100, 2, 0)  # its 2 points are below the limit
    assert judged_out([few, enough, lost_before, Fall("none", 0, 0, 0)]) == ["few", "none"]


def judged_out(classes):
    whole = Check(Fall("all", 9, 9, 9), [], classes, 0.0, "test", Limits())
    return [one.name for one in whole.not_judged()]


def test_the_total_over_old_classes_has_its_own_limit(project, capsys):
    """Two of twenty right answers are lost, one per class: 10 points of the total."""
    write_hits("01", [9, 9, 10, 10])
    status, printed = check(capsys)
    assert status == 1
    assert "failed: the old classes lost 10.0 points, more than 5\n" in printed
    assert check(capsys, "--total-drop", "10")[0] == 0


def test_new_classes_have_no_part_in_it(project, capsys):
    write_hits("01", [10, 10, 0, 0])
    assert check(capsys)[0] == 0


def test_calibration_beyond_the_limit_or_undefined_fails(project, capsys):
    write_hits("01", [10] * 4, measures={"calibration_error": 0.2})
    assert "failed: the calibration error is 20.0 points" in check(capsys)[1]
    assert check(capsys, "--calibration", "20")[0] == 0
    write_hits("01", [10] * 4, measures={})
    assert check(capsys)[0] == 1


def test_falls_of_tasks_add_up_to_the_total(project):
    write_hits("01", [7, 8, 9, 10])
    found = check_model("models/01.keras", "models/00.keras", Limits())
    assert found.tasks == [Fall("task 00", 20, 20, 15)]
    assert sum(one.after for one in found.classes) == found.total.after == 15


def test_a_model_that_was_not_evaluated_is_told_with_the_command(project):
    (project / "evaluation" / "01.json").unlink()
    with pytest.raises(UserError, match="`dvc repro evaluate@01` or `tfcil stage evaluate 01`"):
        check_model("models/01.keras", "models/00.keras", Limits())


def test_a_model_that_was_trained_again_since_is_told_with_the_command(experiment, tmp_path):
    """By the bytes of the file, as the stage evaluate wrote them down."""
    for folder in ("models", "evaluation"):
        shutil.copytree(experiment / folder, tmp_path / folder)
    new, old = (tmp_path / "models" / f"{key}.keras" for key in ("01", "00"))
    check_model(new, old, Limits())
    with old.open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="before it was trained again: `dvc repro evaluate@00`"):
        check_model(new, old, Limits())


@pytest.mark.parametrize(
    ("images", "changes"), [(9, {}), (10, {"split": "validation"}), (10, {"tasks": ["x"]})]
)
def test_models_of_other_images_or_tasks_are_not_compared(project, images, changes):
    write_hits("00", [9, 9], images, **changes)
    with pytest.raises(UserError, match=r"--against: .* against=models/00.keras"):
        check_model("models/01.keras", "models/00.keras", Limits())


def test_a_model_of_other_class_names_is_not_compared(project):
    write_json("models/00.json", {"classes": ["bee", "ant"]})
    with pytest.raises(UserError, match="--against"):
        check_model("models/01.keras", "models/00.keras", Limits())


def test_a_released_model_in_another_folder_is_compared(project, capsys):
    shutil.copytree(project / "evaluation", project / "released" / "evaluation")
    shutil.copytree(project / "models", project / "released" / "models")
    write_hits("01", [0, 10, 10, 10])
    main(["check", "models/00.keras", "--against", "released/models/00.keras"])
    with pytest.raises(SystemExit):
        main(["check", "models/01.keras", "--against", "released/models/01.keras"])
    assert "4 old classes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value"), [("class_drop", -1), ("calibration", 101), ("level", 0)]
)
def test_limits_out_of_range_are_told(name, value):
    with pytest.raises(UserError, match=f"--{name.replace('_', '-')}: .*{name}={value}"):
        Limits(**{name: value})


def test_a_path_that_is_no_model_of_an_experiment_is_told(project):
    with pytest.raises(UserError, match=r"models/TASK\.keras"):
        check_model("01.keras", "models/00.keras", Limits())


def test_as_a_stage_of_dvc_it_stops_the_pipeline(project):
    """The stage of docs/before_it_ships.md, with this project's tasks."""
    stage = {
        "cmd": f"{sys.executable} -m tfcil check models/01.keras --against models/00.keras",
        "deps": ["evaluation/00.json", "evaluation/01.json"],
    }
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"check": stage}}))

    def dvc(*arguments):
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(command, cwd=project, capture_output=True, text=True).returncode

    assert dvc("init", "--no-scm", "--quiet") == 0
    assert dvc("repro", "--quiet") == 0
    write_hits("01", [0, 10, 10, 10])
    assert dvc("repro", "--quiet") != 0
