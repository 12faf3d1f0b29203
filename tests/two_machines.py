"""A Ray cluster of two nodes on this machine."""

import contextlib
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def two_machines(*folders):
    """Sets RAY_ADDRESS to a new cluster, whose processes import from `folders`, too."""
    with one_machine(*folders, num_cpus=2) as cluster:
        cluster.add_node(num_cpus=2)
        yield cluster


@contextlib.contextmanager
def one_machine(*folders, num_cpus):
    """Sets RAY_ADDRESS to a new cluster of one machine with so many processors; yields it."""
    import ray
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT, *folders))), prepend=os.pathsep)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Ray's own processes would let everything else on this machine go first.
        patch.setenv("RAY_worker_niceness", "0")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": num_cpus})
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
        ray.shutdown()
        cluster.shutdown()
