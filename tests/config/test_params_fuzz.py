"""Whatever stands in params.yaml: settings that hold, or one line that names the wrong key."""

import copy
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given
from hypothesis import settings as of_hypothesis
from hypothesis import strategies as st
from tiny_params import changed

from tfcil.config.params import Params, load_params
from tfcil.config.reference import schema
from tfcil.errors import UserError, shown

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())
MANY = of_hypothesis(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
EXTREME = [
    *(float("nan"), float("inf"), -float("inf"), -1, 0, 1, 10**30, -(10**30), 10**4000, 1e308),
    *(1e-320, True, False, None, "", " ", "abc", "\n", "null", "start", "00", "\x00", "\ud800"),
    *([], {}, [[]], [None], {"a": 1}, {1: 2}, b"bytes", "x" * 100000, "🐼", "; rm -rf ~"),
    *("module:", "module:.", "module:no.such\nmodule", "module:json", "folder", "step", "adamw"),
]
anything = st.recursive(
    st.sampled_from(EXTREME) | st.integers() | st.floats() | st.text(max_size=8) | st.booleans(),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3)
    ),
    max_leaves=5,
)


def paths(value, prefix=()):
    """Every key of nested dictionaries, as a path."""
    for key, inside in value.items():
        yield (*prefix, key)
        if isinstance(inside, dict):
            yield from paths(inside, (*prefix, key))


def section_at(values, path):
    for key in path:
        values = values[key]
    return values


PATHS = [*paths(DEFAULT)]
LEAVES = [path for path in PATHS if not isinstance(section_at(DEFAULT, path), dict)]
SCHEMA = schema()
SECTIONS = [(), *(path for path in PATHS if path not in LEAVES)]


def told_by(values):
    """The message, one readable line; or None where the settings hold."""
    try:
        found = Params.of(values, "params.yaml")
    except UserError as error:
        told = str(error)
        assert told.startswith("params.yaml: ")
        assert len(told.splitlines()) == 1
        assert len(told) < 2000
        return told
    # What is accepted can be written and read again: recipes/KEY.json lives on it.
    assert Params.of(found.model_dump(mode="json"), "params.yaml") == found
    return None


def names(told, path):
    """Whether a message names a key: by its whole path, or by its section and then itself."""
    section, key = (".".join(map(shown, part)) for part in (path[:-1], path[-1:]))
    _, found, rest = told.partition(f"params.yaml: {section}: ")
    return f"{section}.{key}".lstrip(".") in told or (found != "" and key in rest)


@MANY
@given(st.sampled_from(PATHS), anything)
@example(("base", "schedule"), "step")  # of a section: its keys don't fit each other
@example(("dataset", "name"), "folder")
@example(("dataset", "resize"), "crop")
@example(("base", "resized_crop"), True)
@example(("base", "momentum"), 1)
@example(("method", "name"), "base\nline")
@example(("method", "name"), "module:.")
@example(("method", "loss"), "module:json")
@example(("tasks", "01", "after"), "x" * 100000)
def test_any_value_of_any_key_holds_or_its_key_is_named(path, value):
    told = told_by(changed(DEFAULT, {path: value}))
    assert told is None or names(told, path), told


@pytest.mark.parametrize("value", [{"a": 1}, [[]], [{}], float("nan")], ids=repr)
@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_what_no_key_takes_is_refused(path, value):
    assert names(told_by(changed(DEFAULT, {path: value})), path)


@MANY
@given(st.sampled_from(SECTIONS), st.text(max_size=10), anything)
@example(("options",), "\x1e", [])
@example(("options",), "x" * 100000, {})
@example(("tasks",), "01\n", {})
@example(("tasks", "00"), "int", [])
@example((), "int", [])
def test_one_key_too_many_is_refused_and_named(path, name, value):
    if name not in section_at(DEFAULT, path) and not is_known(path, name):
        told = told_by(changed(DEFAULT, {(*path, name): value}))
        assert told is not None, (path, name)
        assert names(told, (*path, name)), told


def is_known(path, name):
    """Whether a key that params.yaml leaves out is one after all."""
    if path[:1] == ("tasks",):
        return False  # a task has no other keys, and is refused where the chain ends before it
    section = SCHEMA
    for key in path:
        section = section["properties"][key]
        section = SCHEMA["$defs"].get(section.get("$ref", "").rpartition("/")[2], section)
    return name in section["properties"]


@MANY
@given(st.sampled_from(PATHS))
def test_one_key_too_few_is_named_or_has_a_default(path):
    values = copy.deepcopy(DEFAULT)
    del section_at(values, path[:-1])[path[-1]]
    told = told_by(values)
    # Without a task it is the next one that follows none.
    assert told is None or names(told, path) or (path[0] == "tasks" and "tasks.0" in told), told


@MANY
@given(
    st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_for_a_file_are_told(tmp_path, contents):
    path = tmp_path / "params.yaml"
    path.write_bytes(contents)
    with pytest.raises(UserError) as told:
        load_params(path)
    assert len(str(told.value).splitlines()) == 1


@MANY
@given(st.data())
def test_a_file_with_one_wrong_place_holds_or_is_told(tmp_path, data):
    """A byte lost, doubled or turned into another one, as an editor or a disk does."""
    contents = bytearray((ROOT / "params.yaml").read_bytes())
    place = data.draw(st.integers(0, len(contents) - 1))
    how = data.draw(st.sampled_from(["lost", "doubled", "other"]))
    if how == "lost":
        del contents[place]
    elif how == "doubled":
        contents.insert(place, contents[place])
    else:
        contents[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "params.yaml"
    path.write_bytes(contents)
    told = ""
    try:
        load_params(path)
    except UserError as error:
        told = str(error)
    assert len(told.splitlines()) <= 1


WRONG = {
    "empty": b"",
    "only comments": b"# nothing\n",
    "tab": b"memory:\t5\n\tseed: 1\n",
    "no UTF-8": b"memory: 5 # \xff\xfe\n",
    "UTF-16": "memory: 5\n".encode("utf-16"),
    "nul": b"memory: 5\x00\n",
    "two documents": b"memory: 5\n---\nmemory: 6\n",
    "a list": b"- memory\n",
    "a number": b"5\n",
    "key twice": b"memory: 5\nmemory: 6\n",
    "key twice below": b"dataset: {name: omniglot100, name: cifar100}\n",
    "an alias of itself": b"dataset: &a {name: *a}\n",
    "a list of itself": b"tasks: &a [*a]\n",
    "an anchor that is missing": b"memory: *a\n",
    "a Python object": b"memory: !!python/object/apply:os.system ['echo']\n",
    "an unknown tag": b"memory: !panda 5\n",
    "the 13th month": b"memory: 2020-13-45\n",
    "5000 digits": b"memory: " + b"9" * 5000 + b"\n",
    "2000 brackets": b"memory: " + b"[" * 2000 + b"\n",
    "a key that is a list": b"? [memory]\n: 5\n",
    "a number for a section": b"dataset: 5\n",
    "a hundred anchors of each other": b"".join(
        b"k%d: &k%d [%s]\n" % (i, i, b", ".join([b"*k%d" % (i - 1)] * 9) if i else b"x")
        for i in range(8)
    ),
}


@pytest.mark.parametrize("contents", WRONG.values(), ids=WRONG)
def test_wrong_files_are_told_in_one_line(tmp_path, contents):
    path = tmp_path / "params.yaml"
    path.write_bytes(contents)
    with pytest.raises(UserError) as told:
        load_params(path)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) < 2000


def test_options_that_hold_themselves_are_told(tmp_path):
    path = tmp_path / "params.yaml"
    text = (ROOT / "params.yaml").read_text()
    path.write_text(text.replace("\noptions:", "\noptions: &own\n  lucir: {more: *own}"))
    with pytest.raises(UserError, match=r"options\.lucir\.more: no such key") as told:
        load_params(path)
    assert len(str(told.value)) < 2000


def test_a_thousand_tasks_are_checked_at_once():
    keys = [f"{number:03}" for number in range(1000)]
    tasks = {
        key: {"classes": 1, "after": after, "recipe": "increment"}
        for key, after in zip(keys, ["start", *keys], strict=False)
    }
    assert len(Params.of(DEFAULT | {"memory": 1000, "tasks": tasks}, "params.yaml").tasks) == 1000
    tasks["999"]["after"] = "000"
    with pytest.raises(UserError, match=r"tasks\.999\.after"):
        Params.of(DEFAULT | {"memory": 1000, "tasks": tasks}, "params.yaml")


def test_anchors_may_share_a_section(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    begin, end = text.index("base:  "), text.index("increment:")
    shared = text[:end].replace("base:  ", "base: &same  ") + "increment: *same\n"
    assert begin < end
    (tmp_path / "params.yaml").write_text(shared)
    params = load_params(tmp_path / "params.yaml")
    assert params.base == params.increment
