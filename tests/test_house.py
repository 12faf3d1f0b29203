"""How the package is built: which part may know which, how long parts are, what is documented."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the lowest to the highest; a part knows those before it, and itself.
FLOORS = (
    *("__init__", "errors", "names", "files", "console", "sections", "cluster"),
    *("catalogue", "method_options", "scenario", "metrics"),
    *("params", "params_file", "reference", "exemplars", "data"),
    *("losses", "layers", "backbones", "classifier", "batch_norm", "inference", "methods"),
    *("training", "learning", "evaluation", "predict", "export", "report"),
    *("stages", "project", "status", "grid", "cli", "__main__"),
)
FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}
WITHOUT_FRAMEWORK = ("names", "files", "sections", "scenario", "metrics", "params", "exemplars")
OPS_ONLY = ("losses", "layers", "backbones", "methods")
KERAS_OVERRIDES = {"build", "call", "compute_output_spec", "get_config"}

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


def of_part(part):
    """The names that the modules of a part import."""
    return {
        name
        for module, tree in TREES.items()
        if module.split(".")[0] == part
        for name in imports(tree)
    }


def test_every_part_has_its_floor():
    assert {module.split(".")[0] for module in FILES} == set(FLOORS)


@pytest.mark.parametrize("part", FLOORS)
def test_lower_floors_never_import_upper_ones(part):
    known = {name.split(".")[1] for name in of_part(part) if name.startswith("tfcil.")}
    # A name of tfcil/__init__.py, such as a version, is no module.
    assert known & set(FLOORS) <= set(FLOORS[: FLOORS.index(part) + 1])


@pytest.mark.parametrize("part", WITHOUT_FRAMEWORK)
def test_parts_of_numpy_alone_import_no_framework(part):
    assert FRAMEWORKS & {name.split(".")[0] for name in of_part(part)} == set()


@pytest.mark.parametrize("part", OPS_ONLY)
def test_losses_layers_backbones_and_methods_know_keras_only(part):
    assert FRAMEWORKS & {name.split(".")[0] for name in of_part(part)} <= {"keras"}


def test_importing_the_package_or_its_numpy_parts_loads_no_framework():
    script = (
        "import sys, tfcil\n"
        "assert not {'keras', 'tensorflow', 'numpy', 'yaml'} & set(sys.modules)\n"
        f"for part in {WITHOUT_FRAMEWORK}: __import__(f'tfcil.{{part}}')\n"
        f"assert not {FRAMEWORKS} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


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
