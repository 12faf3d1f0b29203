"""Connects the processes that train a task together, and notices when one of them ends."""

from tfcil.cluster.roll_call import RollCall, join, member, membership
from tfcil.cluster.team import MemberDone, Team
from tfcil.cluster.tf_config import Cluster

__all__ = ["Cluster", "MemberDone", "RollCall", "Team", "join", "member", "membership"]
