"""Every command of the README and of docs/ is run, here or by a test of its page, or says why not.

The word after ```sh names what a block needs that no test has: `network`, `hours`, `cluster`,
`server`, `yours` (files of the reader), or `ci` (continuous integration runs it itself).
"""

import json
import re

import pytest
import yaml
from PIL import Image
from tiny_project import ROOT, Project, create

from tfcil.config.params import Params

NEEDS = ("network", "hours", "cluster", "server", "yours", "ci")
OWN_TEST = {
    "before_it_ships.md": "tests/release/test_before_it_ships_page.py",
    "new_classes.md": "tests/docs/test_new_classes.py",
    "use_the_model.md": "tests/docs/test_use_the_model.py",
}
EXPERIMENTS = 2  # that are run whole
BLOCK = re.compile(r"^```sh ?(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands():
    """The command lines to run, each once, in the order of the pages."""
    found = {}
    for page in PAGES:
        for need, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if not need and page.name not in OWN_TEST:
                lines = (re.sub(r"\s+#.*", "", line) for line in text.splitlines())
                found |= {line: page.name for line in lines if line and line[0] not in "#."}
    return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory, home):
    """The default experiment, finished, with two tasks of two classes and one epoch each."""
    folder = tmp_path_factory.mktemp("reader") / "project"
    create(folder, home)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    first, *_, last = params["tasks"]
    params["tasks"] = {
        first: {"classes": 2, "after": "start", "recipe": "base"},
        last: {"classes": 2, "after": first, "recipe": "increment"},
    }
    for recipe in (params["base"], params["increment"], params["options"]["balanced_finetuning"]):
        recipe["epochs"] = 1
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    project = Project(folder, home)
    project.repro()
    project.commit()
    (folder / "photos").mkdir()
    for name in ("photo.jpg", "photos/other.jpg"):
        Image.new("RGB", (40, 30), 100).save(folder / name)
    return project


def changed(reader, command):
    """The settings with the changes that a command makes to them."""
    params = yaml.safe_load((reader.folder / "params.yaml").read_text())
    changes = re.findall(r"-S '?(\+*)([\w.]+)=([^\s']+)", command)
    assert len(changes) == command.count(" -S ") > 0
    for plus, name, value in changes:
        *sections, key = name.split(".")
        section = params
        for one in sections:
            section = section.setdefault(one, {}) if plus else section[one]
        # DVC changes what is there, adds after + what is not, and either after ++.
        assert plus == "++" or (key in section) == (plus == ""), command
        section[key] = yaml.safe_load(value)
    return params


def test_what_a_block_needs_is_said_in_words_that_are_known():
    for page in PAGES:
        for need, _ in BLOCK.findall(page.read_text(encoding="utf-8")):
            assert need in ("", *NEEDS), page.name


def test_pages_with_a_test_of_their_own_have_it():
    for page, test in OWN_TEST.items():
        assert page in (ROOT / test).read_text(encoding="utf-8")


def test_every_command_runs(reader):
    """In the order of the pages: an experiment goes on from the one before, as for a reader.

    To save minutes, experiments after the second are queued and not started: DVC changes the
    settings, and they are checked.
    """
    found, experiments = commands(), 0
    assert len(found) > 8
    for command in found:
        if command.startswith("dvc exp run"):
            experiments += 1
            command += " --queue" if experiments > EXPERIMENTS else ""
            assert Params.of(changed(reader, command), "params.yaml")
        reader.run("bash", "-euo", "pipefail", "-c", command)
    assert experiments > EXPERIMENTS
    assert (reader.folder / "classifier.onnx").exists()
    shown = json.loads(reader.run("dvc", "exp", "show", "--json"))
    assert len(shown[1]["experiments"]) == experiments


def test_continuous_integration_runs_what_it_is_said_to():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for page in PAGES:
        for need, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            for line in text.splitlines() if need == "ci" else ():
                assert re.sub(r"\s+#.*", "", line) in script


def test_links_within_the_pages_lead_somewhere():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#\s]+)\)", prose):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
