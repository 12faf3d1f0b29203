"""Image files and their classes by name, before any file is opened."""

import unicodedata
from dataclasses import dataclass

from tfcil.errors import UserError

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image file of the split `"train"`, `"test"` or `None`; messages name it as `shown`."""

    path: str
    class_name: str
    split: str | None
    shown: str


@dataclass(frozen=True)
class Listing:
    """Sorted names of the classes, even of those without images; files sorted by class and name."""

    class_names: tuple[str, ...]
    files: list[ImageFile]


def one_line(text) -> str:
    """Returns a text with an escape for every character that is not printable."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(text)
    )


def name_problem(name) -> str | None:
    """Returns why a text cannot be the name of a class, or `None`."""
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, more than {MAX_NAME}"
    # Control characters, line and paragraph separators, bytes that are not UTF-8.
    if any(unicodedata.category(one) in ("Cc", "Zl", "Zp", "Cs") for one in name):
        return "has control characters or is no Unicode text"
    return None


def check_class_names(names, source) -> None:
    """Raises a UserError for a name that no class can have, or two names that look the same.

    `source` is the value of `dataset.path`.
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
