"""The exception for a mistake of the person who runs tfcil, and the nearest known name."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Says in one line what was expected and what was received.

    The command line prints it without a traceback; library callers may catch it as `ValueError`.
    """


def nearest(name, known: Iterable[str]) -> str:
    """Returns `" (did you mean X?)"` for the known name most like `name`, or an empty string."""
    close = difflib.get_close_matches(str(name), [str(one) for one in known], n=1)
    return f" (did you mean {close[0]}?)" if close else ""
