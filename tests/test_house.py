"""How the package is built: which part may know which, how long parts are, what is documented."""

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the lowest to the highest; a part knows those before it, and itself.
FLOORS = (
    *("__init__", "errors", "files", "console", "components", "cluster", "scenario"),
    *("data", "exemplars", "evaluation", "losses", "layers", "backbones", "classifier"),
    *("training", "classification", "methods", "corrections", "config", "learning"),
    *("predict", "export", "report", "stages", "release", "project", "grid", "cli", "__main__"),
)
LOOSE = {"__init__", "__main__", "console", "errors", "files", "predict", "scenario"}
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}
NO_FRAMEWORK = (
    *("errors", "files", "console", "components", "cluster", "scenario"),
    *("exemplars", "evaluation", "config"),
)
# What decides whether a params.yaml is right: it is checked before anybody waits for TensorFlow.
READ_WITHOUT_FRAMEWORK = (*NO_FRAMEWORK, "classification", "methods", "corrections")
LOADED_TO_TRAIN = {"classification.shared.coefficient", "classification.shared.supervision"}
OPS_ONLY = ("losses", "layers", "backbones", "methods", "corrections")
KERAS_OVERRIDES = {"build", "call", "compute_output_spec", "get_config"}
SECONDS = 1.0  # of a processor, to load and check params.yaml

FILES = {
    ".".join(file.relative_to(ROOT / "tfcil").with_suffix("").parts): file
    for file in sorted((ROOT / "tfcil").rglob("*.py"))
}
TREES = {module: ast.parse(file.read_text(encoding="utf-8")) for module, file in FILES.items()}


def imports(tree):
    """Full dotted names of all that is imported, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            # After a bare `import tfcil` its parts are there without another import.
            yield from [f"tfcil.{node.attr}"] if node.value.id == "tfcil" else []


def of_part(part):
    """The names that the modules of a part import."""
    return {name for module in modules_of(part) for name in imports(TREES[module])}


def modules_of(part):
    """The modules of a part, without the name of the package."""
    return [module for module in FILES if module.split(".")[0] == part]


def test_every_part_has_its_floor():
    assert {module.split(".")[0] for module in FILES} == set(FLOORS)


def test_few_modules_lie_loose_at_the_top():
    assert {module for module in FILES if "." not in module} == LOOSE


@pytest.mark.parametrize("part", FLOORS)
def test_lower_floors_never_import_upper_ones(part):
    known = {name.split(".")[1] for name in of_part(part) if name.startswith("tfcil.")}
    # A name of tfcil/__init__.py, such as a version, is no module.
    assert known & set(FLOORS) <= set(FLOORS[: FLOORS.index(part) + 1])


@pytest.mark.parametrize("part", NO_FRAMEWORK)
def test_parts_of_numpy_alone_import_no_framework(part):
    assert FRAMEWORKS & {name.split(".")[0] for name in of_part(part)} == set()


@pytest.mark.parametrize("part", OPS_ONLY)
def test_losses_layers_backbones_methods_and_corrections_know_keras_only(part):
    assert FRAMEWORKS & {name.split(".")[0] for name in of_part(part)} <= {"keras"}


def run(script):
    """Runs Python in a new process and returns what it prints."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_importing_the_package_or_the_settings_components_and_rules_loads_no_framework():
    modules = [module for part in READ_WITHOUT_FRAMEWORK for module in modules_of(part)]
    assert {"methods.lucir", "corrections.bias_layer", "evaluation.rules.nme"} <= set(modules)
    run(
        "import importlib, sys, tfcil\n"
        "assert not {'keras', 'tensorflow', 'numpy', 'yaml'} & set(sys.modules)\n"
        f"for module in {sorted(set(modules) - LOADED_TO_TRAIN)}:\n"
        "    importlib.import_module(f'tfcil.{module}')\n"
        f"    assert not {FRAMEWORKS} & set(sys.modules), module\n"
    )


def test_params_are_checked_in_less_than_a_second():
    """Of a processor: the tests share theirs with others."""
    printed = run(
        "import sys, time\n"
        "from tfcil.config.params import load_params\n"
        "load_params('params.yaml')\n"
        f"assert not {FRAMEWORKS} & set(sys.modules)\n"
        "print(time.process_time())\n"
    )
    assert float(printed) < SECONDS


def test_no_two_public_classes_share_a_name():
    """But `Options`: each component declares its own."""
    classes = Counter(
        node.name
        for tree in TREES.values()
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert {name for name, count in classes.items() if count > 1} == {"Options"}


def test_a_name_in_a_package_is_a_module_or_something_in_one():
    """Where `package.name` were both, it would depend on what was imported before.

    A function named like its own file is no second meaning, unless the package offers it as well.
    """
    modules = {module.removesuffix(".__init__") for module in FILES}
    both = []
    for module, tree in TREES.items():
        package, _, own = module.rpartition(".")
        known = {name for name, _ in _public(tree)} - {own}
        known |= offered(tree, modules) if own == "__init__" else set()
        both += [f"{module}: {name}" for name in known if f"{package}.{name}" in modules]
    assert both == []


def offered(tree, modules):
    """The names that a package takes from its modules, at once or when they are first used."""
    taken = {name for name in imports(tree) if name.removeprefix("tfcil.") not in modules}
    lazy = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "submod_attrs"
    ]
    names = (name for each in lazy for some in each.values() for name in some)
    return {name.split(".")[-1] for name in taken}.union(names)


@pytest.mark.parametrize(
    "file", [*FILES.values(), *(ROOT / "pipelines").glob("*.py")], ids=lambda file: file.name
)
def test_files_and_functions_are_short(file):
    """A file has 300 lines at most, a function 50 and its docstring."""
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    lengths = {
        node.name: node.end_lineno - node.lineno + 1 - _lines_of_docstring(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > 50} == {}


def _lines_of_docstring(function):
    first = function.body[0]
    return first.end_lineno - first.lineno + 1 if ast.get_docstring(function) else 0


@pytest.mark.parametrize("module", FILES)
def test_all_that_is_public_is_documented(module):
    assert ast.get_docstring(TREES[module]), "the module"
    assert [name for name, node in _public(TREES[module]) if not ast.get_docstring(node)] == []


def _public(node, prefix=""):
    for child in node.body:
        if not isinstance(child, ast.FunctionDef | ast.ClassDef) or child.name.startswith("_"):
            continue
        if isinstance(node, ast.Module) or child.name not in KERAS_OVERRIDES:
            yield prefix + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from _public(child, f"{child.name}.")
