"""Every transition of a worker, in one table.

A worker starts empty and is told what to hold. An assignment drains what runs, then loads;
loading ends ready or failed; a new assignment may mend a failure. Stopping is for good.
"""

from __future__ import annotations

from enum import StrEnum


class WorkerPhase(StrEnum):
    """What a worker is doing; the names match argus.v1.WorkerPhase."""

    STARTING = "starting"
    DRAINING = "draining"
    LOADING = "loading"
    READY = "ready"
    FAILED = "failed"
    STOPPING = "stopping"


class WorkerEvent(StrEnum):
    """What can happen to a worker."""

    ASSIGNED = "assigned"
    DRAINED = "drained"
    LOADED = "loaded"
    BROKE = "broke"
    STOPPED = "stopped"


_P, _E = WorkerPhase, WorkerEvent

WORKER_TRANSITIONS: dict[tuple[WorkerPhase, WorkerEvent], WorkerPhase] = {
    (_P.STARTING, _E.ASSIGNED): _P.DRAINING,
    (_P.READY, _E.ASSIGNED): _P.DRAINING,
    (_P.FAILED, _E.ASSIGNED): _P.DRAINING,
    # A newer assignment overtakes one under way; what is loaded for the older is dropped.
    (_P.DRAINING, _E.ASSIGNED): _P.DRAINING,
    (_P.LOADING, _E.ASSIGNED): _P.DRAINING,
    (_P.DRAINING, _E.DRAINED): _P.LOADING,
    (_P.LOADING, _E.LOADED): _P.READY,
    (_P.LOADING, _E.BROKE): _P.FAILED,
    (_P.READY, _E.BROKE): _P.FAILED,
    **{(phase, _E.STOPPED): _P.STOPPING for phase in WorkerPhase},
}


def next_phase(phase: WorkerPhase, event: WorkerEvent) -> WorkerPhase:
    """The phase after `event`.

    Raises:
        AssertionError: the table has no such transition; a bug of the caller.
    """
    following = WORKER_TRANSITIONS.get((phase, event))
    assert following is not None, f"a {phase} worker cannot be {event}"
    return following
