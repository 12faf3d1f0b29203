"""Work in threads, whose results come in order."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor


def processors() -> int:
    """Returns how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(function, items, threads=None) -> Iterator:
    """Applies a function in threads; yields the results in the order of the items.

    Unlike `Executor.map` it takes only a few items ahead, two per thread.

    Args:
        function: of one item.
        items: an iterable.
        threads: their number; `None`: one per processor.
    """
    threads = threads or processors()
    with ThreadPoolExecutor(threads) as pool:
        pending = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
