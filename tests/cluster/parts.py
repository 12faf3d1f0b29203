"""What the processes of the tests do on each machine; Ray's workers import it by its name."""

import os
import signal
import sys
import time
from pathlib import Path

from tfcil.cluster import MemberDone, PeerLost, membership
from tfcil.errors import UserError


def facts(**told):
    return {"code": "as the chief's"} | told


def other_facts():
    """Facts that differ from process to process."""
    return {"keras": os.getpid()}


def part(folder, index, what, times):
    """Does something to the process of this index the first few times, and notes who was there."""
    own = membership()
    path = Path(folder)
    (path / f"{own.index} of {len(own.addresses)}").write_text(str(os.getpid()))
    if own.index == index and len(list(path.glob("done-*"))) < times:
        (path / f"done-{time.monotonic_ns()}").touch()
        what()
    if index is not None and own.index != index and len(list(path.glob("done-*"))) < times:
        time.sleep(60)  # until it is ended
    if not own.is_chief:
        raise MemberDone


def tell():
    """Prints which process this is."""
    print(f"told by {membership().index}", file=sys.stderr)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def lose_another():
    raise PeerLost


def make_a_mistake():
    raise UserError("a mistake")


def fall():
    raise ZeroDivisionError("an unexpected one")
