"""The processes that train a task together: who they are, that all have come, that all live."""

from tfcil.cluster.roll_call import RollCall, join, member, membership
from tfcil.cluster.team import MemberDone, Team
from tfcil.cluster.tf_config import Cluster

__all__ = ["Cluster", "MemberDone", "RollCall", "Team", "join", "member", "membership"]
