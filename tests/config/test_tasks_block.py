"""The block `tasks:` is rewritten or gets a line; the rest of params.yaml stays to the letter."""

import pytest
import yaml
from dvc.utils.serialize import load_yaml

from tfcil.config.tasks_block import add_task, rewrite_tasks
from tfcil.errors import UserError
from tfcil.scenario import protocol


def test_rewriting_the_tasks_leaves_the_rest_to_the_letter(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "# head\nmemory: 1   # a\ntasks:  # b\n  '00': {classes: 2}\n\n  # c\n  '01': x\nseed: 1\n"
    )
    rewrite_tasks(path, {"00": {"classes": 5, "after": "start", "recipe": "base"}})
    assert path.read_text() == (
        "# head\nmemory: 1   # a\n"
        'tasks:\n  "00": {classes: 5, after: "start", recipe: base}\n'
        "seed: 1\n"
    )


def test_rewriting_without_a_block_of_tasks_is_told(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("memory: 1\n")
    with pytest.raises(UserError, match="tasks"):
        rewrite_tasks(path, {})


def test_keys_go_on_as_they_were_numbered(tmp_path):
    for last, expected in (("00", "01"), ("009", "010"), ("99", "100"), ("june", "june_next")):
        path = tmp_path / "params.yaml"
        path.write_text(f'tasks:\n  "{last}": {{classes: 1}}\n\n# more\nmemory: 5\n')
        assert add_task(path, {last: None}, ["a"]) == expected
        assert list(yaml.safe_load(path.read_text())["tasks"]) == [last, expected]
        assert "# more\nmemory: 5\n" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        'tasks:\n  "00": {after: start}\n\n# May\n\n# more\n  "01": {after: "00"}\n# a\nseed: 1\n',
        'seed: 1\ntasks:\n  "00": {after: start}\n  "01": {after: "00"}',
    ],
    ids=["comments at the margin", "no end of the last line"],
)
def test_a_new_task_comes_after_all_others(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    assert add_task(path, {"00": None, "01": None}, ["a"]) == "02"
    assert list(yaml.safe_load(path.read_text())["tasks"]) == ["00", "01", "02"]
    new = '  "02": {classes: ["a"], after: "01", recipe: increment}\n'
    assert path.read_text().replace(new, "").rstrip() == text.rstrip()


def test_dvc_reads_the_same_keys_and_names(tmp_path):
    """To PyYAML 08 is a text and to DVC, whose YAML is newer, it is the number 8."""
    path = tmp_path / "params.yaml"
    path.write_text("tasks:\n  x: y\nmemory: 5\n")
    rewrite_tasks(path, protocol(1, 1, 12))
    add_task(
        path, load_yaml(path)["tasks"], ["08", "on", "1e3", "null", "a: b", 'say "panda"', "é"]
    )
    assert load_yaml(path) == yaml.safe_load(path.read_text())
    assert load_yaml(path)["tasks"]["09"]["after"] == "08"
    assert load_yaml(path)["tasks"]["12"]["classes"][0] == "08"


def test_tasks_in_braces_are_told(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("tasks: {}\n")
    with pytest.raises(UserError, match="a line per task"):
        add_task(path, {"00": None}, ["a"])
