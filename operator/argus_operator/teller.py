"""Tells of one cluster: its status where it differs, and events of what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from argus_core.errors import NotFound
from argus_core.spread import Loadout
from argus_operator import report, verdict
from argus_operator.conditions import Condition, written
from argus_operator.gateway import Gateway, Object
from argus_operator.herald import Herald
from argus_operator.kinds import CLUSTER
from argus_operator.metrics import Metrics
from argus_operator.report import Sight
from argus_operator.times import spelled_now
from argus_protos.v1 import cluster_pb2
from argus_rpc.convert import seconds

_NAMED = 5
"""Workers that an event names at most."""
_BAD = {
    "ApplyRefused",
    "StaleLoad",
    "Exceeded",
    "Missed",
    "Stuck",
    "PodsRefused",
    "Unschedulable",
    "ImageUnavailable",
    "Crashing",
    "ProfileMissing",
    "ProfileRefused",
}
"""Reasons that are warned of."""

States = Mapping[str, cluster_pb2.WorkerState]


class Teller:
    """Remembers what was told, so that nothing is told twice."""

    def __init__(self, gateway: Gateway, herald: Herald, metrics: Metrics) -> None:
        self._gateway, self._herald, self._metrics = gateway, herald, metrics
        self._held: dict[str, Loadout] = {}
        """By worker, what it served last."""
        self._unwell: frozenset[str] = frozenset()
        """Workers whose device is."""
        self._contested: frozenset[str] = frozenset()
        """Objects that somebody changes back each time."""
        self.told_plan = 0
        """Id of the plan that was told of last."""

    async def tell(self, found: Object, sight: Sight, states: States) -> bool:
        """Write what was seen into the status of `found`, and what is new as events.

        Returns whether the status differed.
        """
        conditions = verdict.conditions(sight)
        generation = found["metadata"]["generation"]
        told = _conditions(found, conditions)
        body = report.body(sight)
        status = {**body, "observedGeneration": generation, "conditions": told}
        differed = await self._patch(found, status)
        await self._announce_plan(sight)
        await self._announce_conditions(conditions, found.get("status", {}))
        await self._announce_switches(sight, states)
        await self._announce_health(states)
        return differed

    async def tell_invalid(self, found: Object, message: str) -> None:
        """What was right before goes on; only the status says that this is not."""
        standing = found.get("status", {})
        others = [c for c in standing.get("conditions", ()) if c["type"] != "Ready"]
        ready = _conditions(found, [verdict.invalid(message)])
        await self._patch(found, {**standing, "conditions": [*ready, *others]})
        await self._herald.tell("InvalidDocument", message, warning=True)

    async def tell_contested(self, contested: Mapping[str, str]) -> None:
        """An event for each object that does not stay as it was written, with who changes it."""
        for what in contested.keys() - self._contested:
            by = f"{contested[what]} changes it" if contested[what] else "somebody changes it"
            told = f"{what} does not stay as it was written: {by}; it is put right more seldom now"
            await self._herald.tell("Contested", told, warning=True)
        self._contested = frozenset(contested)

    async def _patch(self, found: Object, status: Mapping[str, Any]) -> bool:
        """Write the status where it differs; what it no longer says is taken away."""
        standing = found.get("status", {})
        if standing == status:
            return False
        gone = dict.fromkeys(standing.keys() - status.keys(), None)
        if "plan" in standing and "plan" in status:
            missing = standing["plan"].keys() - status["plan"].keys()
            status = {**status, "plan": {**status["plan"], **dict.fromkeys(missing, None)}}
        meta = found["metadata"]
        patch = {"status": {**gone, **status}}
        try:
            await self._gateway.merge(
                CLUSTER, meta["namespace"], meta["name"], patch, part="status"
            )
        except NotFound:
            return False  # It is gone since it was read, as the next look will find.
        return True

    async def _announce_plan(self, sight: Sight) -> None:
        """An event for each new plan that moves somebody."""
        plan = sight.plan
        if plan is None or plan.id == self.told_plan:
            return
        reasons = report.planned(sight, after=self.told_plan)
        self.told_plan = plan.id
        result = "advised" if sight.advice else "followed"
        self._metrics.plans.labels(result=result, reason=plan.solver).inc()
        for reason in reasons:
            await self._herald.tell("Planned", reason)

    async def _announce_conditions(
        self, conditions: Sequence[Condition], before: Mapping[str, Any]
    ) -> None:
        """Events for what turns bad, or good again."""
        reasons = {c["type"]: c["reason"] for c in before.get("conditions", ())}
        for condition in conditions:
            was, reason = reasons.get(condition.type.value, ""), condition.reason.value
            if was != reason and (was in _BAD or reason in _BAD):
                await self._herald.tell(reason, condition.message, warning=reason in _BAD)

    async def _announce_switches(self, sight: Sight, states: States) -> None:
        """One event for all workers that serve something else than before."""
        switched = []
        for worker in sight.workers:
            before, self._held[worker.name] = self._held.get(worker.name, ()), worker.holds
            if not worker.holds:
                self._held[worker.name] = before  # What it served last, until it serves again.
            elif before and before != worker.holds:
                switched.append(f"{worker.name} from {_label(before)} to {_label(worker.holds)}")
                self._time(states.get(worker.name))
        await self._tell_of("Switched", switched, warning=False)

    async def _announce_health(self, states: States) -> None:
        """Events for workers whose device has become unwell, with the reason, or is well again.

        Reasons tell seconds, so a device that stays unwell is told of once. Of a worker that is not
        heard nothing is known.
        """
        was = self._unwell
        unwell = {name: s.health.reason for name, s in states.items() if s.health.reason}
        self._unwell = frozenset(unwell) | (was - states.keys())
        fresh = [f"{name}: {reason}" for name, reason in unwell.items() if name not in was]
        await self._tell_of("DeviceUnwell", fresh, warning=True)
        well = [name for name in states if name in was and name not in unwell]
        await self._tell_of("DeviceWell", well, warning=False)

    async def _tell_of(self, reason: str, workers: Sequence[str], *, warning: bool) -> None:
        if workers:
            more = f", and {len(workers) - _NAMED} more" if len(workers) > _NAMED else ""
            await self._herald.tell(reason, ", ".join(workers[:_NAMED]) + more, warning=warning)

    def _time(self, state: cluster_pb2.WorkerState | None) -> None:
        if state is None:
            return
        switch = state.last_switch
        self._metrics.switches.labels(phase="drain").observe(seconds(switch.drain))
        self._metrics.switches.labels(phase="load").observe(seconds(switch.load))


def _conditions(found: Object, conditions: Sequence[Condition]) -> list[dict[str, Any]]:
    return written(
        conditions,
        found.get("status", {}).get("conditions", ()),
        generation=found["metadata"]["generation"],
        now=spelled_now(),
    )


def _label(loadout: Loadout) -> str:
    return "+".join(loadout)
