"""The code that decides a result: the files that a module imports, and one digest of them.

Import statements are read from the source, nothing is executed. Two kinds of import are not seen:
`importlib.import_module` with a computed name, and attributes of a bare `import tfcil`.
"""

import ast
import functools
import hashlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

PACKAGE = "tfcil"
INIT = "__init__.py"
INSTALLED = ("site-packages", "dist-packages")


def import_closure(*modules: str) -> dict[str, Path]:
    """Finds the files whose code a module runs.

    A name that a lazy package (`lazy_loader`) finds at run time stands for all of that package.

    Args:
        modules: full dotted names; outside tfcil, such as a method in a file next to params.yaml,
            what lies next to their top-level package or file is followed, too.

    Returns:
        The file of each module by its name, sorted: these modules and all of the same projects and
        of tfcil that they import, also inside functions, with the `__init__` of every package.
    """
    return dict(_closure(frozenset(modules)))


def code_digest(*modules: str) -> str:
    """Computes the SHA-256 of the names and contents of the files in `import_closure`."""
    digest = hashlib.sha256()
    for name, file in import_closure(*modules).items():
        digest.update(f"{name}\0{_source(file).digest}\0".encode())
    return digest.hexdigest()


@functools.cache
def package_digest() -> str:
    """Computes the SHA-256 of all code of tfcil, by which two machines have the same."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class _Source(NamedTuple):
    """What is read from one file, once per process."""

    digest: str
    imports: tuple[tuple[int, str, str | None], ...]  # level, module, and the name taken from it
    bound: frozenset[str]  # names that importing it binds


class _Folders(NamedTuple):
    """Where modules are looked up."""

    own: dict[str, list[Path]]  # folders that hold a top-level package or file, by its name
    others: list[Path]  # folders in which any other name belongs to the same project

    @classmethod
    def of(cls, tops):
        """Finds the folders of top-level names; what is installed has no project next to it."""
        own = {top: [place.parent for place in _places(top)] for top in tops}
        beside = {folder for top, folders in own.items() if top != PACKAGE for folder in folders}
        return cls(own, sorted(folder for folder in beside if folder.name not in INSTALLED))

    def find(self, module) -> Path | None:
        """Returns the file of a module, or `None` where it is of another project."""
        top, *_ = parts = module.split(".")
        for folder in self.own.get(top, self.others):
            path = folder.joinpath(*parts)
            for file in (path / "__init__.py", path.with_name(f"{path.name}.py")):
                if file.is_file():
                    return file
        return None


def _places(top):
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    return map(Path, spec.submodule_search_locations or [spec.origin])


@functools.cache
def _closure(modules):
    folders = _Folders.of({PACKAGE, *(name.partition(".")[0] for name in modules)})
    found, waiting = {}, []
    for module in modules:
        brought = _brought(module, None, folders)
        if not brought:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        waiting += brought
    while waiting:
        module = waiting.pop()
        file = folders.find(module)
        if file is None or module in found:
            continue
        found[module] = file
        parts = module.split(".")
        waiting += (".".join(parts[:end]) for end in range(1, len(parts)))
        package = module if file.name == INIT else ".".join(parts[:-1])
        for level, origin, name in _source(file).imports:
            if level:
                origin = importlib.util.resolve_name("." * level + origin, package)
            waiting += _brought(origin, name, folders)
    return tuple(sorted(found.items()))


def _brought(module, name, folders):
    """The modules that `from module import name` needs, or `import module` if there is no name."""
    inner = f"{module}.{name}"
    if name and folders.find(inner):
        module, name = inner, None
    file = folders.find(module)
    if file is None:
        return []
    bound = _source(file).bound
    lazy = file.name == INIT and "__getattr__" in bound
    # `import tfcil` alone names no part of it.
    if not lazy or name in bound or (module, name) == (PACKAGE, None):
        return [module]
    inside = (path.relative_to(file.parent).with_suffix("") for path in file.parent.rglob("*.py"))
    return [module, *(".".join((module, *path.parts)).removesuffix(".__init__") for path in inside)]


@functools.cache
def _source(file):
    content = file.read_bytes()
    tree = ast.parse(content, str(file))
    return _Source(
        hashlib.sha256(content).hexdigest(), tuple(_imports(tree)), frozenset(_bound(tree))
    )


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, node.module or "", alias.name) for alias in node.names)


def _bound(tree):
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        waiting.extend(ast.iter_child_nodes(node))
