"""Workers as a router sees them, where nothing runs but its decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from argus_core.spec import ArgusCluster
from argus_protos.v1 import cluster_pb2
from argus_router.fleet import Worker


def worker(
    number: int, loadout: Sequence[str], cluster: ArgusCluster, clock: Callable[[], float]
) -> Worker:
    """One of the first pool, ready, with a slot free."""
    found = Worker(f"w{number}", clock=clock)
    found.state = cluster_pb2.WorkerState(
        worker=found.address,
        pool=cluster.spec.pools[0].name,
        phase=cluster_pb2.WORKER_PHASE_READY,
        loadout=loadout,
        slots=1,
    )
    return found
