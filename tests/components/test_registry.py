"""The registry: every component is a file with its facts, found by name, and read without Keras."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import tfcil
from tfcil.components.facts import Options
from tfcil.components.registry import KINDS, all_components, find, names
from tfcil.errors import UserError

FOLDER = Path(tfcil.__file__).parent
COMPONENTS = [(kind, name) for kind in KINDS for name in names(kind)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_names_are_those_of_the_files(kind):
    folder = FOLDER.joinpath(*KINDS[kind].package.split(".")[1:])
    assert names(kind) == tuple(sorted({one.stem for one in folder.glob("*.py")} - {"__init__"}))


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_a_component_has_facts_a_function_and_its_own_options(kind, name):
    component = find(kind, name)
    assert isinstance(component.facts, KINDS[kind].facts)
    assert callable(component.defined(KINDS[kind].function))
    assert type(component.options) is getattr(component.module, "Options", Options)
    assert isinstance(component.options, Options)


ARGUMENTS = {
    "learn": ["task", "train", "options"],
    "finetuning": ["task", "trained", "options"],
    "term": ["task", "options"],
    "correct": ["task", "train", "trained", "options"],
    "reserve": ["task", "options"],
    "check": ["task", "options"],
    "warning": ["options"],
    "head": ["options"],
}


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_its_functions_take_what_they_are_given(kind, name):
    """A mistake here would show only in a training that uses the function."""
    for function, expected in ARGUMENTS.items():
        found = getattr(find(kind, name).module, function, None)
        if found:
            assert list(inspect.signature(found).parameters)[: len(expected)] == expected


def test_no_two_components_share_a_name():
    """They share the section `options`."""
    assert len(all_components()) == len(COMPONENTS)
    assert {one.name for one in all_components().values()} == set(all_components())


def test_corrections_and_losses_that_a_method_names_exist():
    for name in names("method"):
        facts = find("method", name).facts
        assert {*facts.own_losses, facts.first_loss} <= set(names("loss"))
        assert facts.correction in (None, *names("correction"))


def test_every_component_is_read_without_a_framework():
    script = (
        "import sys\n"
        "from tfcil.components.registry import all_components\n"
        f"assert len(all_components()) == {len(COMPONENTS)}\n"
        "found = {'keras', 'tensorflow', 'jax', 'torch', 'scipy'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=FOLDER.parent, check=True)


@pytest.mark.parametrize(
    ("kind", "name", "nearest"),
    [
        ("method", "lucyr", "lucir"),
        ("loss", "bsc", "bsce"),
        ("loss", "meta-bsce", "meta_bsce"),
        ("correction", "bias_layr", "bias_layer"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest_one(kind, name, nearest):
    key = f"{'method.name' if kind == 'method' else f'method.{kind}'}"
    expected = f"{key}: expected one of {', '.join(names(kind))}, or module:PATH (did you mean "
    with pytest.raises(UserError) as error:
        find(kind, name)
    assert str(error.value) == f"{expected}{nearest}?). Received: {key}={name}"


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes modules next to params.yaml; they are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        return f"module:{name}"

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


FACTS = "from tfcil.components.facts import MethodFacts\nFACTS = MethodFacts()\n"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("nothing", "", "expected a module with FACTS = MethodFacts(...) and a function learn"),
        ("no_function", FACTS, "expected a module with FACTS = MethodFacts(...) and a function"),
        ("no_facts", "def learn(): ...\n", "expected a module with FACTS = MethodFacts(...)"),
        ("own_kind", FACTS + "def learn(): ...\nOptions = dict\n", "expected a module whose"),
        ("no_call", FACTS + "learn = 1\n", "expected a module with FACTS = MethodFacts(...)"),
        (
            "other_facts",
            "from tfcil.components.facts import LossFacts\nFACTS = LossFacts()\ndef learn(): ...\n",
            "expected a module with FACTS = MethodFacts(...)",
        ),
        ("broken", "def learn(:\n", "can be imported from here (SyntaxError: invalid syntax"),
        ("missing", "import no_such_module\n", "No module named 'no_such_module'"),
        ("raising", "raise RuntimeError('two\\nlines')\n", "(RuntimeError: two lines)"),
    ],
)
def test_a_module_that_is_no_method_is_told_in_one_line(written, name, text, told):
    spelling = written(name, text)
    with pytest.raises(UserError) as error:
        find("method", spelling)
    assert told in str(error.value)
    assert str(error.value).endswith(f"Received: method.name={spelling}")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "spelling", ["module:", "module:.relative", "module:no.such", "module:a b"]
)
def test_a_path_that_is_no_module_is_told_in_one_line(written, spelling):
    with pytest.raises(UserError, match="expected a module that can be imported from here") as told:
        find("method", spelling)
    assert "\n" not in str(told.value)


def test_an_installed_component_can_be_named_by_its_module():
    component = find("method", "module:tfcil.methods.lucir", {"margin": 1})
    assert component.name == "lucir"
    assert component.module is find("method", "lucir").module
    assert component.options.margin == 1


def test_wrong_options_of_a_module_are_told_under_its_name(written):
    options = (
        "from tfcil.components import facts\nclass Options(facts.Options):\n    size: int = 1\n"
    )
    spelling = written("sized", FACTS + options + "def learn(): ...\n")
    assert find("method", spelling, {"size": 2}).options.size == 2
    with pytest.raises(UserError) as error:
        find("method", spelling, {"sise": 2})
    expected = (
        "options.sized.sise: no such key (did you mean size?). Received: options.sized.sise=2"
    )
    assert str(error.value) == expected
