"""What is known of every method without importing it: the ABOUT at the head of its file.

params.yaml is checked by stages that must not load Keras, and a method's file does; so its ABOUT is
a literal that is read from the source. A new file in tfcil/methods is a new method.
"""

import ast
import functools
import hashlib
from pathlib import Path
from typing import Literal

from tfcil.components.sections import Section

FOLDER = Path(__file__).parent / "methods"

Loss = Literal["ce", "bce", "bsce", "meta-bsce", "relaxed-bsce"]


class About(Section):
    """The facts of one method.

    Args:
        head: kind of its classifier.
        losses: values of `method.loss` that make sense with it.
        memory: whether it trains on exemplars; a memory-free method refuses them.
        first_loss: loss of the first task, where it is not that of `method.loss`.
        second_stage: what follows the main training: `"balancing"` on as many images of each
            class, `"correction"` of the trained head, `"compression"`, or nothing.
        second_stage_by_default: whether it does, if `method.second_stage` is null.
        may_align: whether weight aligning may take the place of the second stage.
        balanced_by: what of the method already makes up for the class prior.
    """

    head: Literal["linear", "cosine", "local_similarity"] = "linear"
    losses: tuple[Loss, ...] = ("ce", "bsce")
    memory: bool = True
    first_loss: Literal["ce", "nca"] = "ce"
    second_stage: Literal["balancing", "correction", "compression"] | None = None
    second_stage_by_default: bool = True
    may_align: bool = False
    balanced_by: str | None = None


@functools.cache
def catalogue() -> dict[str, About]:
    """Returns the facts of each method by its name, which is the name of its file."""
    found = {}
    for file in sorted(FOLDER.glob("*.py")):
        for statement in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "ABOUT":
                about = About.of(ast.literal_eval(statement.value), f"{file.name}: ABOUT")
                found[file.stem] = about
    return found


def code_digest(name: str) -> str:
    """Computes the digest of a method's file and of the files in tfcil/methods that it imports.

    A task that is trained by one method does not change when another one does.

    Args:
        name: of a file in tfcil/methods, without `.py`.
    """
    found, waiting = {}, [name]
    while waiting:
        one = waiting.pop()
        if one not in found and (FOLDER / f"{one}.py").exists():
            source = (FOLDER / f"{one}.py").read_bytes()
            found[one] = source
            waiting.extend(_imported(ast.parse(source)))
    digest = hashlib.sha256()
    for one in sorted(found):
        digest.update(one.encode() + b"\0" + found[one] + b"\0")
    return digest.hexdigest()


def _imported(tree):
    """The last names of what is imported from tfcil.methods: modules, and names in them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("tfcil.methods"):
            yield node.module.rpartition(".")[2]
            yield from (alias.name for alias in node.names)
