"""What is told of a cluster: its status, from what was seen of it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argus_control.mode import Mode
from argus_control.outcomes import Outcome
from argus_core.planning.plan import Alternative
from argus_core.spec import ClusterSpec
from argus_core.spread import Loadout
from argus_core.states import WorkerPhase
from argus_operator import names
from argus_operator.conditions import Condition
from argus_operator.ledger import Account
from argus_operator.pods import Pod
from argus_protos.v1 import cluster_pb2, control_pb2


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One worker of the budget."""

    name: str
    pool: str
    phase: WorkerPhase | None
    """None where it is not heard."""
    holds: Loadout
    """What it serves now."""
    assigned: Loadout
    """What it was told to hold."""
    wanted: Loadout
    """What it shall hold."""


@dataclass(frozen=True, kw_only=True)
class Sight:
    """All that was seen in one look at a cluster; times in seconds."""

    name: str
    namespace: str
    spec: ClusterSpec
    ports: tuple[int, int]
    """Of the Service: gRPC, HTTP."""
    accounts: Sequence[Account]
    workers: Sequence[Worker]
    pods: Sequence[Pod]
    """Of all roles."""
    shrinking: frozenset[str] = frozenset()
    """Pools whose size was lowered, and whose last workers still end."""
    mode: Mode = Mode.AUTOMATIC
    paused: bool = False
    plan: cluster_pb2.Plan | None = None
    planned: bool = False
    """Whether the plan rests on a load; else it says what the workers hold."""
    alternatives: Sequence[Alternative] = ()
    records: Sequence[control_pb2.PlanRecord] = ()
    """Of the plans of late, oldest first."""
    advice: str = ""
    """The plan that was made and is not followed, in words."""
    behind: Sequence[str] = ()
    """Routers that have not taken the plan."""
    troubles: Mapping[str, str] = field(default_factory=dict)
    """By router that could not be told it, why."""
    silent: Mapping[str, str] = field(default_factory=dict)
    """By worker that is not heard, why."""
    report_age: float | None = None
    """Since a router last told of its load; None where none ever did."""
    outcome: Outcome = field(default_factory=lambda: Outcome(met=0, missed=0))
    unmoved: float = 0.0
    """For how long workers on the way have not got any further."""
    refusals: Mapping[str, str] = field(default_factory=dict)
    """By object, why the API server would not have it."""
    unmade: Mapping[str, str] = field(default_factory=dict)
    """By owner, why the API server would not have its pods."""
    figures: Condition | None = None
    """Whether the levels have the figures that the document wants."""

    @property
    def unreachable(self) -> dict[str, str]:
        """Routers that are ready and could not be told the plan, with why."""
        ready = {pod.name for pod in self.pods if pod.ready}
        return {name: why for name, why in self.troubles.items() if name in ready}

    @property
    def unheard(self) -> dict[str, str]:
        """Workers that Kubernetes finds ready and that are not heard, with why."""
        ready = {pod.name for pod in self.pods if pod.ready}
        return {name: why for name, why in sorted(self.silent.items()) if name in ready}

    @property
    def routers_ready(self) -> int:
        """Routers that answer."""
        return sum(pod.role == names.ROUTER and pod.ready for pod in self.pods)


def body(sight: Sight) -> dict[str, Any]:
    """The status, but for conditions and generation."""
    domain = names.router_host(sight.name, sight.namespace)
    scheme = "http" if sight.spec.router.tls is None else "https"
    grpc, http = sight.ports
    ready = sum(account.ready for account in sight.accounts)
    wanted = sum(account.wanted for account in sight.accounts)
    found: dict[str, Any] = {
        "selector": names.selector(sight.name, names.WORKER),
        "workers": sum(account.charged for account in sight.accounts),
        "summary": {"workers": f"{ready}/{wanted}", "plan": _summary(sight)},
        "endpoints": {"grpc": f"{domain}:{grpc}", "http": f"{scheme}://{domain}:{http}"},
        "pools": [_pool(account) for account in sight.accounts],
        "variants": [_variant(sight, variant.name) for variant in sight.spec.variants],
    }
    if sight.plan is not None:
        found["plan"] = _plan(sight, sight.plan)
    return found


def planned(sight: Sight, *, after: int) -> list[str]:
    """What events say of plans that move workers, or would: why each is as it is, oldest first.

    Args:
        sight: plans may be made more often than a cluster is looked at, so it may hold several.
        after: number of the last plan that was told of.
    """
    return [one.plan.reason for one in sight.records if one.moves and one.plan.id > after]


def _summary(sight: Sight) -> str:
    held = Counter("+".join(w.wanted) for w in sight.workers if w.wanted)
    return ", ".join(f"{loadout} {count}" for loadout, count in sorted(held.items()))


def _pool(account: Account) -> dict[str, Any]:
    return {
        "name": account.pool,
        "wanted": account.wanted,
        "charged": account.charged,
        "ready": account.ready,
        "switching": account.switching,
        "starting": account.starting,
        "pending": account.pending,
        "failed": account.failed,
        "terminating": account.terminating,
        "outdated": account.outdated,
    }


def _variant(sight: Sight, variant: str) -> dict[str, Any]:
    ready = [w for w in sight.workers if w.phase is WorkerPhase.READY and variant in w.holds]
    coming = [
        w
        for w in sight.workers
        if w.phase in (WorkerPhase.DRAINING, WorkerPhase.LOADING)
        and variant in w.assigned
        and variant not in w.holds
    ]
    return {
        "name": variant,
        "wanted": sum(variant in worker.wanted for worker in sight.workers),
        "ready": len(ready),
        "switching": len(coming),
    }


def _plan(sight: Sight, plan: cluster_pb2.Plan) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": plan.id,
        "madeAt": plan.made_at.ToJsonString(),
        "reason": plan.reason,
        "solver": plan.solver,
        "forecastRate": _rounded(plan.forecast_rate),
        "expectedQuality": _rounded(plan.expected_quality),
        "expectedShed": _rounded(plan.expected_shed),
        "allocations": [
            {
                "pool": a.pool,
                "loadout": list(a.loadout),
                "workers": a.workers,
                "price": _rounded(a.price),
            }
            for a in plan.allocations
        ],
        "alternatives": [
            {"name": a.name, "description": a.description, "cost": _rounded(a.cost)}
            for a in sight.alternatives
        ],
    }
    if sight.advice:
        told["advice"] = sight.advice
    return told


def standing_plan(status: Mapping[str, Any]) -> cluster_pb2.Plan | None:
    """The plan that a status tells of, as routers were told it; None where there is none."""
    told = status.get("plan")
    if not told:
        return None
    plan = cluster_pb2.Plan(
        id=told["id"],
        reason=told.get("reason", ""),
        solver=told.get("solver", ""),
        forecast_rate=told.get("forecastRate", 0.0),
        expected_quality=told.get("expectedQuality", 0.0),
        expected_shed=told.get("expectedShed", 0.0),
    )
    plan.made_at.FromJsonString(told["madeAt"])
    for a in told.get("allocations", ()):
        plan.allocations.add(
            pool=a["pool"],
            loadout=a["loadout"],
            workers=a["workers"],
            price=a.get("price", 0.0),
        )
    return plan


def _rounded(number: float) -> float:
    """To four digits: a status that changes with every breath says nothing."""
    return float(f"{number:.4g}")
