"""Finds components by their names in params.yaml.

A component is a module with `FACTS`, `Options` where it has any, and one function. Its name is the
name of its file in tfcil/methods, tfcil/classification or tfcil/corrections; or that of an entry
point in the groups of the same names; or `module:PATH`, any module that can be imported.
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
from tfcil.errors import UserError, nearest

MODULE = "module:"


class Kind(NamedTuple):
    """A kind of component.

    Args:
        package: where its files are, and the name of its group of entry points.
        function: what each of them defines.
        facts: type of its `FACTS`.
        key: that names one in params.yaml.
    """

    package: str
    function: str
    facts: type
    key: str


KINDS = {
    "method": Kind("tfcil.methods", "learn", MethodFacts, "method.name"),
    "loss": Kind("tfcil.classification", "term", LossFacts, "method.loss"),
    "correction": Kind("tfcil.corrections", "correct", CorrectionFacts, "method.correction"),
}


@dataclass(frozen=True)
class Component:
    """A method, loss or correction.

    Attributes:
        kind: `"method"`, `"loss"` or `"correction"`.
        name: its key in the section `options`.
        module: the Python module that defines it.
    """

    kind: str
    name: str
    module: ModuleType

    @property
    def facts(self):
        """What it declares."""
        return self.module.FACTS

    @property
    def options_type(self) -> type[Options]:
        """The section of its options."""
        return getattr(self.module, "Options", Options)


@dataclass(frozen=True)
class Configured:
    """A component with its options.

    Attributes:
        component: the `Component`.
        options: its options, checked.
        spelling: what params.yaml calls it.
    """

    component: Component
    options: Options
    spelling: str

    @property
    def facts(self):
        """What the component declares."""
        return self.component.facts

    @property
    def on_first_task(self) -> bool:
        """Whether a loss or a correction is used on the first task."""
        return getattr(self.options, "first_task", self.facts.first_task)

    @property
    def head(self) -> Head:
        """The head that a method trains."""
        return self.defined("head", Head)()

    def defined(self, function, otherwise=None):
        """Returns a function of the component's file, with the options as its last argument.

        Args:
            function: its name.
            otherwise: what is returned where the file does not define it.
        """
        found = getattr(self.component.module, function, None)
        return otherwise if found is None else functools.partial(_call, found, self.options)


def _call(function, options, *arguments):
    return function(*arguments, options)


def configure(kind: str, spelling: str, values=None) -> Configured:
    """Finds a component and checks its options.

    Args:
        kind: a key of `KINDS`.
        spelling: name of the component, or `module:PATH`.
        values: dictionary of the options that differ from the defaults.

    Raises:
        UserError: one line that names the wrong key.
    """
    component = find(kind, spelling)
    options = component.options_type.of(values or {}, "", under=f"options.{component.name}")
    return Configured(component, options, spelling)


@functools.cache
def names(kind: str) -> tuple[str, ...]:
    """Returns the names of the installed components of a kind, sorted."""
    package = KINDS[kind].package
    own = [
        found.name
        for found in pkgutil.iter_modules(importlib.import_module(package).__path__)
        if not found.ispkg
    ]
    return tuple(sorted({*own, *(point.name for point in entry_points(group=package))}))


@functools.cache
def find(kind: str, name: str) -> Component:
    """Returns a component.

    Args:
        kind: a key of `KINDS`.
        name: of the component, or `module:PATH`.

    Raises:
        UserError: where there is none, or its module is not one of this kind.
    """
    package, function, facts, key = KINDS[kind]
    if name.startswith(MODULE):
        path = name.removeprefix(MODULE)
        component = Component(kind, path.rpartition(".")[2], _imported(kind, path))
    elif name in names(kind):
        points = entry_points(group=package, name=name)
        module = next(iter(points)).load() if points else None
        component = Component(kind, name, module or importlib.import_module(f"{package}.{name}"))
    else:
        raise UserError(
            f"{key}: expected one of {', '.join(names(kind))}, or {MODULE}PATH"
            f"{nearest(name, names(kind))}. Received: {key}={name}"
        )
    declared = getattr(component.module, "FACTS", None)
    if not isinstance(declared, facts) or not callable(getattr(component.module, function, None)):
        raise UserError(
            f"{key}: expected a module with FACTS = {facts.__name__}(...) and a function "
            f"{function}. Received: {key}={name}"
        )
    return component


def all_components() -> dict[str, Component]:
    """Returns every installed component by its name: no two kinds share one."""
    return {name: find(kind, name) for kind in KINDS for name in names(kind)}


def _imported(kind, path) -> ModuleType:
    with _current_folder_first():
        try:
            return importlib.import_module(path)
        except ImportError as error:
            raise UserError(
                f"{KINDS[kind].key}: expected a module that can be imported from here ({error}). "
                f"Received: {KINDS[kind].key}={MODULE}{path}"
            ) from None


@contextlib.contextmanager
def _current_folder_first():
    """A module beside params.yaml is found whatever program was started."""
    sys.path.insert(0, os.getcwd())
    try:
        yield
    finally:
        sys.path.remove(os.getcwd())
