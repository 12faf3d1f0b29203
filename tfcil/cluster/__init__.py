"""Several machines: Ray starts, watches and restarts the processes that train together."""

from tfcil.cluster.members import Member, MemberDone, PeerLost, member, membership

__all__ = ["Member", "MemberDone", "PeerLost", "member", "membership"]
