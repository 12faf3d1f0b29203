"""What the digest of a module's code follows: all it imports from its project, and no more."""

from pathlib import Path

import pytest

from tfcil.components import code

ROOT = Path(code.__file__).parents[2]
LAZY = "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, {names})\n"
# A project of a person: nothing in it may be executed.
PROJECT = {
    "my_method.py": "import numpy, keras\nimport my_helpers\nfrom tfcil.errors import UserError\n",
    "my_helpers.py": "raise SystemExit\n",
    "unused.py": "",
    # An ordinary package, an import inside a function and a relative one.
    "plain/__init__.py": "from plain.used import helper\n\ndef defined(): ...\n",
    "plain/used.py": "",
    "plain/unused.py": "",
    "plain/late.py": "def later():\n    from . import unused\n",
    "plain/one_level_up.py": "from .late import later\n",
    # A package that finds its modules by name, when asked.
    "dynamic/__init__.py": "import importlib\n\ndef find(name):\n"
    "    return importlib.import_module(f'dynamic.{name}')\n",
    "dynamic/one.py": "",
    # A lazy package, with one name that is imported at once.
    "lazy/__init__.py": LAZY.format(names="submod_attrs={'a': ['first']}")
    + "from lazy.now import eager\nVERSION = 1\n",
    "lazy/a.py": "import my_helpers\n",
    "lazy/inner/b.py": "",
    "lazy/now.py": "",
}
ALL_LAZY = {"lazy", "lazy.a", "lazy.inner.b", "lazy.now", "my_helpers"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A person's project; modules are imported from it."""
    for name, text in PROJECT.items():
        write(tmp_path / name, text)
    monkeypatch.syspath_prepend(tmp_path)
    another_process()
    yield tmp_path
    another_process()


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def another_process():
    """Files are read once per process."""
    code._closure.cache_clear()
    code._source.cache_clear()


def digest(*modules):
    another_process()
    return code.code_digest(*modules)


def closure_of(project, text):
    """The modules that the file `asks.py` with this text imports from the project."""
    write(project / "asks.py", text)
    another_process()
    return set(code.import_closure("asks")) - {"asks"}


def test_a_method_outside_the_package_comes_with_its_siblings_and_what_it_uses_of_tfcil(project):
    found = code.import_closure("my_method")
    assert list(found) == ["my_helpers", "my_method", "tfcil", "tfcil.errors"]
    assert found["my_helpers"] == project / "my_helpers.py"
    assert found["tfcil.errors"] == ROOT / "tfcil" / "errors.py"


def test_what_is_installed_has_no_siblings(tmp_path, monkeypatch):
    """Else a plug-in in site-packages would bring numpy and Keras."""
    installed = tmp_path / "site-packages"
    write(installed / "plugin" / "__init__.py", "")
    write(installed / "plugin" / "method.py", "import other\nfrom plugin import terms\n")
    write(installed / "plugin" / "terms.py", "")
    write(installed / "other.py", "")
    monkeypatch.syspath_prepend(installed)
    another_process()
    assert list(code.import_closure("plugin.method")) == ["plugin", "plugin.method", "plugin.terms"]


def test_another_tfcil_in_the_project_is_not_the_one_that_runs(project):
    write(project / "copies" / "tfcil" / "errors.py", "")
    write(project / "copies" / "beside.py", "import tfcil.errors\n")
    assert code.import_closure("my_method", "copies.beside")["tfcil.errors"].is_relative_to(ROOT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import plain", {"plain", "plain.used"}),
        ("import plain.late", {"plain", "plain.used", "plain.late", "plain.unused"}),
        ("from plain import late", {"plain", "plain.used", "plain.late", "plain.unused"}),
        ("from plain import helper, defined", {"plain", "plain.used"}),
        (
            "import plain.one_level_up",
            {"plain", "plain.used", "plain.one_level_up", "plain.late", "plain.unused"},
        ),
        ("def later():\n    import my_helpers", {"my_helpers"}),
        ("import numpy.linalg, os.path", set()),
    ],
)
def test_of_an_ordinary_package_it_follows_what_is_imported(project, text, expected):
    assert closure_of(project, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from dynamic import find", {"dynamic"}),
        ("import dynamic", {"dynamic"}),
        ("from dynamic.one import x", {"dynamic", "dynamic.one"}),
    ],
)
def test_a_package_that_finds_modules_by_name_brings_none_of_them(project, text, expected):
    assert closure_of(project, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import lazy", ALL_LAZY),
        ("from lazy import first", ALL_LAZY),
        ("from lazy import *", ALL_LAZY),
        ("from lazy import eager, VERSION", {"lazy", "lazy.now"}),
        ("from lazy import a", {"lazy", "lazy.a", "lazy.now", "my_helpers"}),
        ("from lazy.a import first", {"lazy", "lazy.a", "lazy.now", "my_helpers"}),
        ("import lazy.inner.b", {"lazy", "lazy.inner.b", "lazy.now"}),
    ],
)
def test_a_name_that_is_found_at_run_time_brings_its_whole_package(project, text, expected):
    assert closure_of(project, text) == expected


def test_a_byte_anywhere_in_the_closure_changes_the_digest(project):
    before = {digest("lazy", "my_method")}
    files = code.import_closure("lazy", "my_method").values()
    changed = [file for file in files if file.is_relative_to(project)]
    assert len(changed) == 6
    for file in changed:
        file.write_bytes(file.read_bytes() + b"\n")
        now = digest("lazy", "my_method")
        assert now not in before, file
        before.add(now)


def test_a_file_outside_the_closure_does_not_change_the_digest(project):
    before = digest("my_method")
    write(project / "unused.py", "changed = True\n")
    write(project / "new.py", "")
    assert digest("my_method") == before


def test_a_file_with_another_name_changes_the_digest(project):
    before = digest("my_method")
    (project / "my_helpers.py").rename(project / "renamed.py")
    write(project / "my_method.py", PROJECT["my_method.py"].replace("my_helpers", "renamed"))
    assert digest("my_method") != before


def test_the_folder_of_the_project_is_no_part_of_the_digest(project, tmp_path, monkeypatch):
    before = digest("lazy")
    moved = tmp_path.with_name("moved")
    project.rename(moved)
    monkeypatch.syspath_prepend(moved)
    assert digest("lazy") == before


def test_the_order_of_the_modules_is_none_of_the_digest(project):
    assert digest("lazy", "my_method", "plain") == digest("plain", "lazy", "my_method")


@pytest.mark.parametrize("name", ["missing", "missing.inner", "plain.missing", "tfcil.missing"])
def test_a_module_that_is_not_there_is_an_error(project, name):
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{name.split('.inner')[0]}'"):
        code.import_closure(name)


def test_every_module_of_tfcil_is_found_in_its_file():
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in (ROOT / "tfcil").rglob("*.py")
    }
    assert code.import_closure(*files) == files


def within(package, modules):
    return {name for name in modules if name == package or name.startswith(f"{package}.")}


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("tfcil.stages.select", {"tfcil.training", "tfcil.losses", "tfcil.report"}),
        ("tfcil.stages.evaluate", {"tfcil.report", "tfcil.methods", "tfcil.grid"}),
        ("tfcil.stages.train", {"tfcil.report", "tfcil.evaluation", "tfcil.cli"}),
        ("tfcil.stages.report", {"tfcil.training", "tfcil.cli"}),
        ("tfcil.report.tables", {"tfcil.training", "tfcil.cli", "tfcil.grid"}),
        ("tfcil.methods.wa", {"tfcil.methods.bic", "tfcil.cli", "tfcil.report"}),
    ],
)
def test_code_that_has_no_say_in_a_result_is_not_in_its_closure(module, never):
    found = code.import_closure(module)
    assert module in found
    assert {name: within(name, found) for name in never} == {name: set() for name in never}


def test_tfcil_itself_is_lazy_and_brings_the_part_that_is_named(project):
    assert closure_of(project, "import tfcil") == {"tfcil"}
    losses = closure_of(project, "from tfcil import losses")
    assert losses >= {"tfcil", "tfcil.losses.balanced", "tfcil.losses.distillation"}
    assert within("tfcil.methods", losses) == set()
    assert losses == closure_of(project, "from tfcil.losses import balanced_softmax_crossentropy")
