"""Reads TF_CONFIG: the processes that train together, and the index of this one."""

import json
import os
from dataclasses import dataclass

from tfcil.errors import UserError

EXAMPLE = (
    '{"cluster": {"worker": ["host1:12345", "host2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """The processes of TF_CONFIG: host:port of each, chief first, and the index of this one."""

    addresses: tuple[str, ...]
    index: int

    @classmethod
    def here(cls) -> "Cluster":
        """Reads TF_CONFIG; raises a `UserError` where it does not describe a chief and workers."""
        text = os.environ.get("TF_CONFIG")
        try:
            return cls(*_addresses_and_index(json.loads(text or "")))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise UserError(
                f"strategy=multi_worker: expected a TF_CONFIG such as {EXAMPLE}. "
                f"Received: TF_CONFIG={text}"
            ) from None

    @property
    def is_chief(self) -> bool:
        """Whether this process is the chief, which writes the results."""
        return self.index == 0

    def name(self, index: int) -> str:
        """Returns the name of a process in messages."""
        return f"{f'worker {index}' if index else 'the chief'} ({self.addresses[index]})"

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port of the chief."""
        return _endpoint(self.addresses[0])


def _addresses_and_index(config):
    jobs, task = config["cluster"], config["task"]
    # As in TensorFlow: without a chief, the first worker is the chief.
    sizes = {job: len(jobs.get(job, [])) for job in ("chief", "worker")}
    addresses = tuple(address for job in sizes for address in jobs.get(job, []))
    valid = (
        jobs.keys() <= sizes.keys()
        and sizes["chief"] <= 1
        and len(set(addresses)) == len(addresses)
        and task["index"] in range(sizes[task["type"]])
        and all(_endpoint(address) for address in addresses)
    )
    if not valid:
        raise ValueError
    return addresses, task["index"] + (sizes["chief"] if task["type"] == "worker" else 0)


def _endpoint(address):
    host, port = address.rsplit(":", 1)
    if not host or int(port) not in range(1, 2**16):
        raise ValueError
    return host, int(port)
