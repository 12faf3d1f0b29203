"""The exception for a mistake of the person who runs tfcil, and how it shows what was received."""

import difflib
import reprlib
import unicodedata
from collections.abc import Iterable


class UserError(ValueError):
    """Says in one line what was expected and what was received.

    The command line prints it without a traceback; library callers may catch it as `ValueError`.
    """


def nearest(name, known: Iterable[str]) -> str:
    """Returns `" (did you mean X?)"` for the known name most like `name`, or an empty string."""
    known = [str(one) for one in known]
    # The same on a screen: archives of macOS spell ä as a and an accent.
    alike = [one for one in known if _composed(one) == _composed(str(name)) and one != str(name)]
    if alike:
        return f" (did you mean {alike[0]!a}, whose accents are spelled otherwise?)"
    close = difflib.get_close_matches(str(name), known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def brief(value) -> str:
    """Writes any value in at most 80 characters, in one line, however large it is."""
    # Anchors of anchors can make a value that nobody ever finishes writing.
    return f"{_REPR.repr(value):.80}"


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxlong = _REPR.maxother = 80


def shown(name: str) -> str:
    """Returns a name as it is, or as `brief` writes it where it would not fit into a line."""
    return name if name.isprintable() and len(name) <= 80 else brief(name)
