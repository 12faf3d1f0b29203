"""What a process knows of the others with which it trains a task."""

import contextlib
import contextvars
from dataclasses import dataclass

_membership = contextvars.ContextVar("membership", default=None)


class MemberDone(Exception):  # noqa: N818 (it is no error)
    """Ends a member's part in a task: the rest is writing, and only the chief writes."""


class PeerLost(Exception):  # noqa: N818 (nobody has made a mistake)
    """TensorFlow no longer reaches another member: the task must start again."""


@dataclass(frozen=True)
class Member:
    """The processes that train together: host:port of each, and the index of this one."""

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this process is the chief, which writes the results."""
        return self.index == 0


@contextlib.contextmanager
def member(one: Member):
    """Sets the `Member` that this process is while it trains."""
    token = _membership.set(one)
    try:
        yield
    finally:
        _membership.reset(token)


def membership() -> Member | None:
    """Returns the `Member` that this process is, or `None` where it trains alone."""
    return _membership.get()
