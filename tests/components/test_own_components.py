"""A person's own method, loss and correction, next to params.yaml or installed: nothing is patched.

A file is found by `module:PATH`, an installed package by its entry points.
"""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tiny_tasks import choice_of, first_task, head_of, learn

from tfcil.classifier import LOGITS
from tfcil.components import code, registry
from tfcil.config.params import Params
from tfcil.errors import UserError
from tfcil.stages.recipes import settings_of

DEFAULT = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text())

METHOD = '''
"""A method with an option."""

import dataclasses

from pydantic import Field

from tfcil.components import facts

FACTS = facts.MethodFacts()


class Options(facts.Options):
    """Its options."""

    weight: float = Field(1.0, description="factor of the classification")


def learn(task, train, options):
    """Trains the grown network."""
    term = dataclasses.replace(task.classification(), weight=options.weight)
    return train(task, task.phase([term]))
'''
LOSS = '''
"""Twice the cross-entropy."""

from tfcil import losses
from tfcil.components.facts import LossFacts
from tfcil.training import Term

FACTS = LossFacts()


def term(task, options):
    """Returns the term."""

    def values(batch):
        return 2 * losses.softmax_crossentropy(batch.labels, batch.student["logits"])

    return Term("doubled", 1.0, values)
'''
CORRECTION = '''
"""Halves the head."""

from my_helpers import HALF

from tfcil.components.facts import CorrectionFacts

FACTS = CorrectionFacts(heads=("linear",))


def correct(task, train, trained, options):
    """Halves the kernel."""
    head = trained.get_layer("logits")
    kernel, bias = head.get_weights()
    head.set_weights([HALF * kernel, bias])
    return trained
'''
FILES = {
    "my_method.py": METHOD,
    "my_loss.py": LOSS,
    "my_correction.py": CORRECTION,
    "my_helpers.py": "HALF = 0.5\n",
    "site-packages/plugin/__init__.py": "",
    "site-packages/plugin/method.py": METHOD,
    "site-packages/plugin/loss.py": LOSS,
    "site-packages/plugin/correction.py": CORRECTION.replace("my_helpers", "plugin.helpers"),
    "site-packages/plugin/helpers.py": "HALF = 0.5\n",
    "site-packages/plugin-1.0.dist-info/METADATA": (
        "Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n"
    ),
    "site-packages/plugin-1.0.dist-info/entry_points.txt": (
        "[tfcil.methods]\nplugged = plugin.method\n"
        "[tfcil.classification]\ndoubled = plugin.loss\n"
        "[tfcil.corrections]\nhalved = plugin.correction\n"
    ),
}
OWN = ("module:my_method", "module:my_loss", "module:my_correction")
INSTALLED = ("plugged", "doubled", "halved")
BOTH = pytest.mark.parametrize("names", [OWN, INSTALLED], ids=["module", "entry point"])


def options_of(names):
    return {registry.find("method", names[0]).name: {"weight": 0.25}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The folder in which tfcil is started, and a package that is installed."""
    for name, text in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    another_process()
    yield tmp_path
    another_process()


def another_process():
    """Modules, entry points and files are looked up once per process."""
    for cached in (registry.names, registry._entry_points, registry._module):
        cached.cache_clear()
    code._closure.cache_clear()
    code._source.cache_clear()
    for name in set(sys.modules):
        if name.partition("_")[0] == "my" or name.partition(".")[0] == "plugin":
            del sys.modules[name]
    importlib.invalidate_caches()


@BOTH
def test_they_learn_a_task_with_their_own_option(project, names):
    choice = choice_of(*names, **options_of(names))
    found = learn(first_task(choice), 1, choice)
    (row,) = found.curve
    assert row["loss"] == pytest.approx(0.25 * row["doubled"], rel=1e-6)
    assert 1 < row["doubled"] / 2 < 4  # about log 7
    kernel, bias = found.student.get_layer(LOGITS).get_weights()
    trained, trained_bias = head_of(found.phases[0].student[1])
    np.testing.assert_array_equal(kernel, trained / 2)
    np.testing.assert_array_equal(bias, trained_bias)


def test_installed_ones_have_a_name_like_any_other(project):
    assert set(registry.names("method")) > {"baseline", "plugged"}
    assert {"plugged", "doubled", "halved"} < set(registry.all_components())
    with pytest.raises(UserError, match=r"did you mean plugged\?\). Received: method.name=pluged"):
        choice_of("pluged")


@BOTH
def test_their_options_and_facts_are_checked(project, names):
    name = registry.find("method", names[0]).name
    with pytest.raises(UserError, match=rf"options.{name}.wieght: no such key \(did you mean weig"):
        choice_of(*names, **{name: {"wieght": 1}})
    with pytest.raises(UserError, match="corrects a linear head, lucir has a cosine one"):
        choice_of("lucir", *names[1:])


def digests(names):
    """The digests of the code of the first and of a later task, in a process of their own."""
    another_process()
    method = dict(zip(("name", "loss", "correction"), names, strict=True))
    chosen = {"method": method, "options": options_of(names)}
    params = Params.of(DEFAULT | chosen, "params.yaml")
    first, second, *_ = params.tasks
    return settings_of(params, first).code, settings_of(params, second).code


@BOTH
def test_a_change_of_their_code_is_seen_by_the_tasks_that_use_it(project, names):
    """Without them, a finished task would be taken for one of the new code."""
    first, later = digests(names)
    seen = {later}
    beside = project if names is OWN else project / "site-packages" / "plugin"
    files = sorted(set(beside.glob("*.py")))
    assert len(files) >= 4
    for file in files:
        file.write_text(file.read_text() + "# changed\n")
        first_now, later_now = digests(names)
        assert first_now == first  # it is trained without any of them
        assert later_now not in seen, file.name
        seen.add(later_now)
    (project / "unused.py").write_text("")
    assert digests(names) == (first, later_now)
