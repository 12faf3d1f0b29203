"""Schema and reference of params.yaml: every component has its section, every key its meaning."""

import json
import re

import pytest

from tfcil.components.registry import KINDS, all_components, names
from tfcil.config.reference import reference, schema

COMPONENTS = all_components()


def section_of(name):
    """The part of the reference about one component."""
    (text,) = re.findall(rf"^## `options\.{name}`\n(.*?)(?=^## |\Z)", reference(), re.M | re.S)
    return text


def test_components_of_all_kinds_are_there_under_names_of_their_own():
    assert len(COMPONENTS) == sum(len(names(kind)) for kind in KINDS)
    assert {"lucir", "bsce", "weight_aligning"} <= set(COMPONENTS)


@pytest.mark.parametrize("name", COMPONENTS)
def test_reference_of_a_component_says_what_it_is_and_what_each_option_means(name):
    text, options = section_of(name), type(COMPONENTS[name].options).model_fields
    assert text.strip().startswith(f"The {COMPONENTS[name].kind} {name}: ")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| `")]
    assert [row[0].strip(" `") for row in rows] == list(options)
    assert all(cell.strip() for row in rows for cell in (row[1], row[3])), rows
    assert ("It has no options." in text) == (not options)


@pytest.mark.parametrize("name", COMPONENTS)
def test_schema_completes_the_options_of_a_component_and_knows_no_other(name):
    section = schema()["properties"]["options"]["properties"][name]
    assert list(section["properties"]) == list(type(COMPONENTS[name].options).model_fields)
    assert section["additionalProperties"] is False


def test_every_reference_within_the_schema_leads_somewhere():
    """An editor refuses a schema whose `$ref` has no target."""
    whole = schema()
    targets = set(re.findall(r'"#/\$defs/(\w+)"', json.dumps(whole)))
    assert targets
    assert targets <= set(whole["$defs"])
