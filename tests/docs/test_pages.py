"""Pages that repeat what the program knows say the same as the program."""

import ast
import functools
import json
import re
from pathlib import Path

import pytest

from tfcil.cli import main
from tfcil.components.registry import all_components, find, names
from tfcil.config.reference import reference, schema

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_reference_of_the_parameters_is_up_to_date(capsys):
    main(["params"])
    assert capsys.readouterr().out == (DOCS / "params.md").read_text(encoding="utf-8")


def test_reference_has_every_key_with_its_meaning():
    text, whole = reference(), schema()
    options = whole["properties"]["options"]["properties"]
    assert {"baseline", "bsce", "logit_adjustment"} <= set(options)
    for name, section in [*whole["$defs"].items(), *options.items()]:
        for key in section["properties"]:
            rows = re.findall(rf"^\| `{key}` \|.*\|$", text, flags=re.M)
            assert rows, f"{name}.{key} is not in the reference"
            assert all(row.split(" | ")[3].strip(" |") for row in rows), f"{key}: no description"


def test_schema_is_json_for_editors(capsys):
    main(["params", "--schema"])
    schema = json.loads(capsys.readouterr().out)
    assert {"dataset", "tasks", "method", "validation"} <= set(schema["properties"])


METHODS = (DOCS / "methods.md").read_text(encoding="utf-8")
FIRST_TASK = {True: "yes", False: "no", "option": "with `first_task: true`"}


def first_task(component):
    """What the tables of docs/methods.md say of a component's use on the first task."""
    has_option = hasattr(component.options, "first_task")
    return FIRST_TASK["option" if has_option else component.facts.first_task]


def cells(name):
    """The cells of the row of a component in the tables of docs/methods.md."""
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", METHODS, flags=re.M)
    return re.split(r" ?\| ", row)


def test_methods_page_has_every_method_and_its_default_correction():
    titles = re.findall(r"^### ([a-z_, ]+)$", METHODS, flags=re.M)
    assert sorted(", ".join(titles).split(", ")) == list(names("method"))
    defaults = re.search(r"`correction: default` .*? none for\s+the others", METHODS, re.S)[0]
    _, *parts = re.split(r"`(\w+)`\s+for\s", defaults)
    said = {}
    for correction, methods in zip(parts[::2], parts[1::2], strict=True):
        said |= dict.fromkeys(re.findall(r"`(\w+)`", methods), correction)
    facts = {name: find("method", name).facts.correction for name in names("method")}
    assert said == {name: correction for name, correction in facts.items() if correction}


@pytest.mark.parametrize("name", names("loss"))
def test_methods_page_says_of_a_loss_what_its_file_says(name):
    loss = find("loss", name)
    _, first, exemplars, _ = cells(name)
    assert first == first_task(loss)
    assert exemplars == {"any": "", "needs": "required", "refuses": "refused"}[loss.facts.memory]


@pytest.mark.parametrize("name", names("correction"))
def test_methods_page_says_of_a_correction_what_its_file_says(name):
    correction = find("correction", name)
    _, heads, exemplars, first = cells(name)
    assert heads == ("linear" if correction.facts.heads == ("linear",) else "all")
    assert exemplars == ("required" if correction.facts.needs_memory else "")
    assert first == first_task(correction)


def test_readme_names_every_component():
    section = re.search(r"^## Methods\n(.*?)^## ", README, flags=re.M | re.S)[1]
    assert set(all_components()) <= set(re.findall(r"`(\w+)`", section))


@functools.cache
def texts_of_the_program():
    """Every text in the source, with `...` where a value stands."""
    return list(_texts())


def _texts():
    for file in (ROOT / "tfcil").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else "..." for part in node.values
                )
                yield "".join(map(str, parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


TROUBLE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
OF_OTHERS = re.compile(r"^(\* DVC says .*|\* `('<'|you are not|Unable).*)$", re.M)
MESSAGES = re.findall(r"^\* `([^`]+)`:", OF_OTHERS.sub("", TROUBLE), flags=re.M)


def test_troubleshooting_has_messages():
    assert len(MESSAGES) > 18


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_of_the_page_are_those_of_the_program(message):
    parts = [part.strip() for part in message.split("...") if part.strip(" )(?")]
    for part in parts:
        assert any(part in text for text in texts_of_the_program()), part
