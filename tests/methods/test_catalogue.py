"""The catalogue: every method is a file with an ABOUT, and that is read without Keras."""

import ast
import subprocess
import sys

from tfcil import methods
from tfcil.catalogue import FOLDER, About, catalogue

SHARED = {
    *("__init__", "base", "classification", "corrections"),
    *("distillation", "expansion", "head_weights"),
}


def assigned(file):
    """The names that a file assigns at its top level."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {
        target.id
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }


def test_a_file_has_an_about_and_a_method_or_neither():
    for file in FOLDER.glob("*.py"):
        expected = set() if file.stem in SHARED else {"ABOUT", "METHOD"}
        assert {"ABOUT", "METHOD"} & assigned(file) == expected, file.name


def test_the_catalogue_holds_the_files_that_are_not_shared():
    assert set(catalogue()) == {file.stem for file in FOLDER.glob("*.py")} - SHARED
    assert all(isinstance(about, About) for about in catalogue().values())


def test_every_method_opens_by_its_name_and_keeps_what_its_about_says():
    """A stage that the catalogue promises must be there, else training would end in a crash."""
    for name, about in catalogue().items():
        method = methods.method_named(name)
        assert isinstance(method, methods.Method)
        trained = about.second_stage in ("balancing", "compression")
        assert (method.second_stage is not None) == trained
        if trained:
            assert method.second_stage.name == about.second_stage


def test_reading_it_loads_no_keras():
    script = (
        "import sys\n"
        "from tfcil.method_options import Method\n"
        "Method(name='podnet', loss='ce').first_task()\n"
        "assert not {'keras', 'tensorflow', 'jax', 'tfcil.methods'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=FOLDER.parents[1], check=True)


def test_other_assignments_in_a_file_do_not_disturb(tmp_path, monkeypatch):
    """A person's own method may unpack a tuple or set an attribute at its top level."""
    (tmp_path / "mine.py").write_text('A, B = 1, 2\nx = y = 3\nABOUT = {"losses": ["ce"]}\n')
    monkeypatch.setattr("tfcil.catalogue.FOLDER", tmp_path)
    catalogue.cache_clear()
    try:
        assert catalogue() == {"mine": About(losses=("ce",))}
    finally:
        catalogue.cache_clear()
