"""Plans as routers are told them: the control loop's, and one that says what the workers hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from argus_core.planning.plan import Plan
from argus_core.spread import Loadout
from argus_protos.v1 import cluster_pb2
from argus_rpc.convert import now


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A worker of a pool, whether or not a process fills it."""

    worker: str
    """`cpu-0`, `cpu-1`, ...: unique within the cluster."""
    pool: str


def seats(loadouts: Mapping[str, tuple[Loadout, ...]]) -> dict[Seat, Loadout]:
    """Every worker of the cluster with the loadout that it begins with."""
    return {
        Seat(worker=f"{pool}-{i}", pool=pool): loadout
        for pool, held in loadouts.items()
        for i, loadout in enumerate(held)
    }


def make_plan(
    plan_id: int, held: Iterable[tuple[str, Loadout]], *, reason: str
) -> cluster_pb2.Plan:
    """The plan that says what is: `held` is the pool and loadout of every worker."""
    plan = cluster_pb2.Plan(id=plan_id, made_at=now(), reason=reason, solver="spread")
    for (pool, loadout), workers in Counter(held).items():
        plan.allocations.add(pool=pool, loadout=loadout, workers=workers)
    return plan


def plan_message(plan_id: int, plan: Plan) -> cluster_pb2.Plan:
    """A plan of the control loop."""
    message = cluster_pb2.Plan(
        id=plan_id,
        made_at=now(),
        reason=plan.reason,
        forecast_rate=plan.rate,
        solver=plan.solver.value,
        expected_quality=plan.expected_quality,
        expected_shed=plan.expected_shed,
    )
    for a in plan.allocations:
        message.allocations.add(pool=a.pool, loadout=a.loadout, workers=a.workers, price=a.price)
    return message
