"""Finds components by their names in params.yaml.

A component is a module with `FACTS`, `Options` where it has any, and one function. Its name is the
name of its file in tfcil/methods, tfcil/classification or tfcil/corrections; or that of an entry
point in the groups of these names; or `module:PATH`, any module that can be imported.
"""

import contextlib
import functools
import importlib
import os
import pkgutil
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from types import ModuleType
from typing import NamedTuple

from tfcil.components.facts import CorrectionFacts, Head, LossFacts, MethodFacts, Options
from tfcil.errors import UserError, nearest, shown

MODULE = "module:"


class Kind(NamedTuple):
    """A kind of component."""

    package: str  # where its files are, and the name of its group of entry points
    function: str  # that each of them defines
    facts: type  # of its `FACTS`
    key: str  # that names one in params.yaml


KINDS = {
    "method": Kind("tfcil.methods", "learn", MethodFacts, "method.name"),
    "loss": Kind("tfcil.classification", "term", LossFacts, "method.loss"),
    "correction": Kind("tfcil.corrections", "correct", CorrectionFacts, "method.correction"),
}


@dataclass(frozen=True)
class Component:
    """A method, loss or correction with its options.

    Attributes:
        kind: a key of `KINDS`.
        spelling: what params.yaml calls it.
        module: the Python module that defines it.
        options: its options, checked.
    """

    kind: str
    spelling: str
    module: ModuleType
    options: Options

    @property
    def name(self) -> str:
        """Its key in the section `options`."""
        return self.spelling.removeprefix(MODULE).rpartition(".")[2]

    @property
    def facts(self):
        """What it declares."""
        return self.module.FACTS

    @property
    def on_first_task(self) -> bool:
        """Whether a loss or a correction is used on the first task."""
        return getattr(self.options, "first_task", self.facts.first_task)

    @property
    def removes_prior(self):
        """Whether, or what in it, makes raw logits come out as if classes were equally frequent."""
        return getattr(self.options, "removes_prior", self.facts.removes_prior)

    @property
    def warning(self) -> str | None:
        """One line on options that are allowed and hardly meant, or `None`."""
        return self.defined("warning", lambda: None)()

    @property
    def head(self) -> Head:
        """The head that a method trains."""
        return self.defined("head", Head)()

    def defined(self, function, otherwise=None):
        """Returns a function of its module, with the options as its last argument.

        Args:
            function: its name.
            otherwise: what is returned where the module does not define it.
        """
        found = getattr(self.module, function, None)
        return (lambda *arguments: found(*arguments, self.options)) if found else otherwise


@functools.cache
def names(kind: str) -> tuple[str, ...]:
    """Returns the names of the installed components of a kind, sorted."""
    package = importlib.import_module(KINDS[kind].package)
    own = {found.name for found in pkgutil.iter_modules(package.__path__) if not found.ispkg}
    return tuple(sorted(own | _entry_points().select(group=package.__name__).names))


def find(kind: str, spelling: str, values=None) -> Component:
    """Finds a component and checks its options.

    Args:
        kind: a key of `KINDS`.
        spelling: name of the component, or `module:PATH`.
        values: dictionary of the options that differ from the defaults.

    Raises:
        UserError: one line that names the wrong key.
    """
    module = _module(kind, spelling)
    component = Component(kind, spelling, module, Options())
    type_of_options = getattr(module, "Options", Options)
    options = type_of_options.of(values or {}, "", under=f"options.{component.name}")
    return Component(kind, spelling, module, options)


def all_components() -> dict[str, Component]:
    """Returns every installed component by its name, with default options."""
    return {name: find(kind, name) for kind in KINDS for name in names(kind)}


@functools.cache
def _entry_points():
    # Each call reads the metadata of every installed package, which takes 20 ms.
    return entry_points()


@functools.cache
def _module(kind, spelling) -> ModuleType:
    package, function, facts, key = KINDS[kind]
    if spelling.startswith(MODULE):
        module = _imported(key, spelling)
    elif spelling in names(kind):
        points = _entry_points().select(group=package, name=spelling)
        found = [one.load() for one in points]
        module = found[0] if found else importlib.import_module(f"{package}.{spelling}")
    else:
        raise UserError(
            f"{key}: expected one of {', '.join(names(kind))}, or {MODULE}PATH"
            f"{nearest(spelling, names(kind))}. Received: {key}={shown(spelling)}"
        )
    declared = getattr(module, "FACTS", None)
    if not isinstance(declared, facts) or not callable(getattr(module, function, None)):
        raise UserError(
            f"{key}: expected a module with FACTS = {facts.__name__}(...) and a function "
            f"{function}. Received: {key}={shown(spelling)}"
        )
    options = getattr(module, "Options", Options)
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise UserError(
            f"{key}: expected a module whose Options is a subclass of components.facts.Options. "
            f"Received: {key}={shown(spelling)}"
        )
    return module


def _imported(key, spelling) -> ModuleType:
    # A module next to params.yaml is found whatever program was started.
    sys.path.insert(0, os.getcwd())
    try:
        return importlib.import_module(spelling.removeprefix(MODULE))
    except Exception as error:  # whatever the person's code raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(
            f"{key}: expected a module that can be imported from here ({reason:.200}). "
            f"Received: {key}={shown(spelling)}"
        ) from None
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(os.getcwd())
