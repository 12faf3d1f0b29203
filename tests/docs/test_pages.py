"""Pages that repeat what the program knows say the same as the program."""

import ast
import functools
import json
import re
from pathlib import Path

import pytest

from tfcil.cli import main
from tfcil.config.params import Params
from tfcil.config.reference import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_reference_of_the_parameters_is_up_to_date(capsys):
    main(["params"])
    assert capsys.readouterr().out == (DOCS / "params.md").read_text(encoding="utf-8")


def test_reference_has_every_key_with_its_meaning():
    text = reference()
    for name, section in Params.model_json_schema()["$defs"].items():
        if name in ("FirstTask", "TaskSettings"):
            continue
        for key in section["properties"]:
            (row,) = set(re.findall(rf"^\| `{key}` \|.*\|$", text, flags=re.M)[:1])
            assert row.split("|")[4].strip(), f"{name}.{key} has no description"


def test_schema_is_json_for_editors(capsys):
    main(["params", "--schema"])
    schema = json.loads(capsys.readouterr().out)
    assert {"dataset", "tasks", "method", "validation"} <= set(schema["properties"])


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
    assert len(MESSAGES) > 12


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_of_the_page_are_those_of_the_program(message):
    parts = [part.strip() for part in message.split("...") if part.strip(" )(?")]
    for part in parts:
        assert any(part in text for text in texts_of_the_program()), part
