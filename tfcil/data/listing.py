"""Names of image files and of their classes, before any of them is opened."""

import unicodedata
from dataclasses import dataclass

from tfcil.errors import UserError

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file, what it shows, and what it is for.

    Args:
        path: where it lies.
        class_name: its class.
        split: `"train"` or `"test"`; `None`: not said.
        shown: what a message calls it.
    """

    path: str
    class_name: str
    split: str | None
    shown: str


@dataclass(frozen=True)
class Listing:
    """What a folder or a CSV file lists.

    Args:
        class_names: sorted, those without images as well.
        files: the images, sorted by class and by what they are called.
    """

    class_names: tuple[str, ...]
    files: list[ImageFile]


def one_line(text) -> str:
    """Returns a text in which every character that is no visible one is spelled out."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text)
    )


def name_problem(name) -> str | None:
    """Says what is wrong with the name of a class; `None`: nothing."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, more than {MAX_NAME}"
    # Control characters, line and paragraph separators, bytes that are no UTF-8.
    if any(unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") for one in name):
        return "has control characters or is no Unicode text"
    return None


def check_class_names(names, source) -> None:
    """Refuses names that cannot be those of classes, and two that look the same.

    Args:
        names: the names.
        source: what `dataset.path` is.

    Raises:
        UserError: the first such name.
    """
    first = {}
    for name in names:
        if problem := name_problem(name):
            raise UserError(
                f"dataset.path: expected names of classes, of 1 to {MAX_NAME} characters in one "
                f"line, in {one_line(source)}; one {problem}. "
                f"Received: class name='{one_line(name):.80}'"
            )
        plain = unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())
        other = first.setdefault(plain, name)
        if other != name:
            raise UserError(
                "dataset.path: expected class names that differ in more than upper and lower case "
                f"or the spelling of accents, in {one_line(source)}. "
                f"Received: class names={other!a}, {name!a}"
            )
