"""What dvc.yaml says of code: a change of any file that a stage runs runs the stage again."""

from pathlib import Path

import pytest
import yaml

from tfcil.components.code import import_closure
from tfcil.components.registry import all_components
from tfcil.evaluation.registry import all_measures, all_rules

ROOT = Path(__file__).parents[2]
# Writing files, errors and paths decide no result; `__init__` of a package only names its contents.
UNTRACKED = {"errors.py", "files.py", "console.py", "stages/layout.py"}
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def rules_and_measures():
    """Their modules, which the registry lists."""
    return [
        *(f"tfcil.evaluation.rules.{name}" for name in all_rules()),
        *(f"tfcil.evaluation.measures.{name}" for name in all_measures()),
    ]


FOUND_BY_NAME = {
    "recipes": lambda: [one.module.__name__ for one in all_components().values()],
    "evaluate": rules_and_measures,
    "report": rules_and_measures,
}


def code_of(stage):
    """The files of tfcil that a stage runs, relative to the checkout."""
    modules = [f"tfcil.stages.{stage}", *FOUND_BY_NAME.get(stage, list)()]
    files = {file.relative_to(ROOT) for file in import_closure(*modules).values()}
    inside = {file.relative_to("tfcil").as_posix(): file for file in files}
    return {
        file
        for name, file in inside.items()
        if name not in UNTRACKED and not name.endswith("__init__.py")
    }


def code_deps(stage):
    deps = STAGES[stage].get("do", STAGES[stage])["deps"]
    return [Path(one) for one in deps if one.startswith("tfcil/")]


@pytest.mark.parametrize("stage", STAGES)
def test_every_file_that_a_stage_runs_is_among_its_dependencies(stage):
    deps = code_deps(stage)
    missed = [f for f in code_of(stage) if not any(f == one or one in f.parents for one in deps)]
    assert sorted(map(str, missed)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_no_code_that_it_does_not_run(stage):
    """A needless dependency trains for hours after a change that decides nothing."""
    code = code_of(stage)
    needless = [
        one for one in code_deps(stage) if not any(f == one or one in f.parents for f in code)
    ]
    assert sorted(map(str, needless)) == []


@pytest.mark.parametrize("stage", STAGES)
def test_its_script_is_among_its_dependencies(stage):
    stage = STAGES[stage].get("do", STAGES[stage])
    assert stage["cmd"].split()[1] in stage["deps"]
