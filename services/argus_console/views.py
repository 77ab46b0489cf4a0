"""What the page is told, as JSON: from the protos' messages, and from nothing else. Pure.

Times are in seconds, moments in milliseconds since 1970, as browsers have them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from argus_protos.v1.cluster_pb2 import Allocation, Plan, WorkerPhase, WorkerState
from argus_protos.v1.control_pb2 import LoadReport, PlanRecord
from argus_protos.v1.images_pb2 import DescribeClusterResponse
from argus_rpc.convert import seconds

Json = dict[str, Any]
SWITCHING, AWAY = "switching", "away"
"""What workers hold that serve nothing: those that load, and those that are lost or failed."""
_SERVES_SOON = {"starting", "draining", "loading"}


def cluster(told: DescribeClusterResponse) -> Json:
    """What the cluster is, and what its workers do."""
    return {
        "name": told.name,
        "version": told.version,
        "deadline": seconds(told.default_deadline),
        "target": told.slo_target,
        "levels": [
            {
                "name": level.name,
                "variant": level.variant,
                "steps": level.schedule.steps,
                "skipped": level.schedule.skipped_steps,
                "quality": level.prior_quality,
                "seconds": seconds(level.seconds_per_image),
            }
            for level in told.levels
        ],
        "variants": variants(told),
        "pools": [
            {"name": pool.name, "gpu": pool.gpu_type, "workers": pool.workers}
            for pool in told.pools
        ],
        "workers": [worker(state) for state in told.workers],
        "held": held(told),
        "queued": dict(told.queued),
        "plan": plan(told.plan) if told.HasField("plan") else None,
    }


def variants(told: DescribeClusterResponse) -> list[str]:
    """In the ladder's order."""
    return list(dict.fromkeys(level.variant for level in told.levels))


def worker(state: WorkerState) -> Json:
    """A worker's own account of itself."""
    return {
        "name": state.worker,
        "pool": state.pool,
        "phase": phase(state),
        "reason": state.reason or state.health.reason,
        "loadout": list(state.loadout),
        "assigned": list(state.assigned),
        "busy": state.in_flight,
        "slots": state.slots,
        "device": state.health.device,
    }


def phase(state: WorkerState) -> str:
    """Its word, such as `ready`."""
    return WorkerPhase.Name(state.phase).removeprefix("WORKER_PHASE_").lower()


def held(told: DescribeClusterResponse) -> dict[str, int]:
    """GPUs by what they hold: loadouts in the ladder's order, then those that serve nothing.

    Their sum is the budget, or the workers that there are where those are more.
    """
    found: Counter[str] = Counter()
    for state in told.workers:
        found[_holding(state)] += 1
    missing = sum(pool.workers for pool in told.pools) - len(told.workers)
    found[AWAY] += max(0, missing)
    order = variants(told)
    loadouts = sorted(found.keys() - {SWITCHING, AWAY}, key=lambda name: _rank(name, order))
    return {name: found[name] for name in (*loadouts, SWITCHING, AWAY) if found[name]}


def load(windows: Sequence[LoadReport]) -> Json:
    """What routers saw, over reports of theirs; rates are images a second.

    Their windows lie side by side in time for one router, and one above the other for several.
    """
    spans: Counter[str] = Counter()
    for report in windows:
        spans[report.router] += seconds(report.window)  # type: ignore[assignment]  # floats add up
    span = max(spans.values(), default=0.0)
    total = {
        name: sum(getattr(report, name) for report in windows)
        for name in ("arrivals", "on_time", "late", "refused", "failed")
    }
    ended = total["on_time"] + total["late"] + total["refused"] + total["failed"]
    return {
        "seconds": span,
        "rate": total["arrivals"] / span if span else 0.0,
        "met": total["on_time"] / ended if ended else None,
        **total,
    }


def arrivals(windows: Iterable[LoadReport], step: float) -> list[int]:
    """Images asked for in each step of the time that reports tell of, at all routers together.

    A report counts for the step in which its window's middle lies; steps are of so many seconds.
    """
    told = [
        (r.window_end.ToMilliseconds() / 1000 - seconds(r.window) / 2, r.arrivals) for r in windows
    ]
    if not told:
        return []
    begin = min(at for at, _ in told)
    counts = [0] * (1 + int((max(at for at, _ in told) - begin) / step))
    for at, count in told:
        counts[int((at - begin) / step)] += count
    return counts


def queues(latest: Iterable[LoadReport]) -> list[Json]:
    """What waits now at all routers, by variant; slack is the least of any."""
    found: dict[str, Json] = {}
    for report in latest:
        for queue in report.queues:
            told = found.setdefault(
                queue.variant, {"variant": queue.variant, "queued": 0, "work": 0.0, "slack": None}
            )
            told["queued"] += queue.queued
            told["work"] += seconds(queue.work)
            if queue.queued:
                slack = seconds(queue.least_slack)
                told["slack"] = slack if told["slack"] is None else min(slack, told["slack"])
    return [found[variant] for variant in sorted(found)]


def plan(told: Plan) -> Json:
    """A plan."""
    return {
        "id": told.id,
        "at": moment(told.made_at),
        "reason": told.reason,
        "solver": told.solver,
        "rate": told.forecast_rate,
        "quality": told.expected_quality,
        "shed": told.expected_shed,
        "allocations": [allocation(a) for a in told.allocations],
    }


def allocation(told: Allocation) -> Json:
    """How many workers of a pool hold a loadout, and what a second of theirs is worth."""
    return {
        "pool": told.pool,
        "loadout": list(told.loadout),
        "workers": told.workers,
        "price": told.price,
    }


def record(told: PlanRecord) -> Json:
    """A plan as it is remembered."""
    return {
        **plan(told.plan),
        "followed": told.followed,
        "changes": told.changes,
        "moves": [
            {
                "pool": move.pool,
                "workers": move.workers,
                "from": list(getattr(move, "from")),
                "to": list(move.to),
            }
            for move in told.moves
        ],
        "alternatives": [
            {"name": other.name, "description": other.description, "cost": other.cost}
            for other in told.alternatives
        ],
        "inputs": _inputs(told) if told.HasField("inputs") else None,
        "aftermath": _aftermath(told) if told.HasField("aftermath") else None,
    }


def merged(many: Iterable[Sequence[PlanRecord]]) -> list[PlanRecord]:
    """What several routers remember, oldest first; of one plan the record with most aftermath."""
    found: dict[int, PlanRecord] = {}
    for records in many:
        for one in records:
            other = found.get(one.plan.id)
            if other is None or one.aftermath.over > other.aftermath.over:
                found[one.plan.id] = one
    return [found[number] for number in sorted(found)]


def sample(told: DescribeClusterResponse, rate: float, at: int) -> Json:
    """A moment of the moving picture."""
    prices = {"+".join(a.loadout): a.price for a in told.plan.allocations}
    queued = sum(told.queued.values())
    return {"at": at, "held": held(told), "rate": rate, "queued": queued, "prices": prices}


def moment(stamp: Timestamp) -> int:
    """Milliseconds since 1970."""
    return int(stamp.ToMilliseconds())


def _holding(state: WorkerState) -> str:
    now = phase(state)
    if now == "ready" and state.loadout:
        return "+".join(state.loadout)
    return SWITCHING if now in _SERVES_SOON else AWAY


def _rank(loadout: str, order: Sequence[str]) -> tuple[int, str]:
    first = loadout.partition("+")[0]
    return (order.index(first) if first in order else len(order), loadout)


def _inputs(told: PlanRecord) -> Json:
    inputs = told.inputs
    return {
        "rate": inputs.expected_rate,
        "burstiness": inputs.burstiness,
        "queued": {queue.variant: queue.queued for queue in inputs.queues},
        "standing": [allocation(a) for a in inputs.standing],
        "met": inputs.fared.met,
        "missed": inputs.fared.missed,
    }


def _aftermath(told: PlanRecord) -> Json:
    after = told.aftermath
    return {
        "switches": after.switches,
        "switched": after.switched,
        "took": seconds(after.took) if after.HasField("took") else None,
        "met": after.fared.met,
        "missed": after.fared.missed,
        "over": after.over,
    }
