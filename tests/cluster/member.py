"""A process of a cluster, without TensorFlow: python member.py PORT SIZE INDEX WAY SECONDS.

It joins, says so, and then does what WAY says: `end` the training as the others do, `fail` with a
mistake of its own, or `stay` in it until it is killed. SECONDS of silence count as death.
"""

import sys
import time

from tfcil.cluster import Cluster, MemberDone, RollCall, join, team
from tfcil.errors import UserError

port, size, index, way, seconds = sys.argv[1:]
team.BEAT, team.SILENCE, team.GRACE = float(seconds) / 10, float(seconds), 1.0
addresses = (f"127.0.0.1:{port}", *(f"elsewhere:{number}" for number in range(1, int(size))))
cluster = Cluster(addresses, int(index))
try:
    mine = (RollCall(cluster, "07") if cluster.is_chief else join(cluster, 20.0)).team()
    print(f"in {mine.task}", flush=True)
    if way == "stay":
        time.sleep(60)
    if way == "fail":
        error = UserError("a mistake")
        mine.fail(error)
        raise error
    mine.end()
    print("over", file=sys.stderr)
except MemberDone:
    print("served", file=sys.stderr)
except UserError as error:
    sys.exit(f"error: {error}")
