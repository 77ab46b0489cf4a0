"""A plan of the control loop as it is remembered: `argus.v1.PlanRecord`. Pure."""

from __future__ import annotations

from argus_control.outcomes import Outcome
from argus_core.control import ControlLoop
from argus_core.planning.plan import Plan
from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.convert import duration, seconds

_RECENT = 60.0
"""Seconds for which a router's last word of its queues counts."""


def record_of(
    message: cluster_pb2.Plan,
    plan: Plan,
    inputs: control_pb2.PlanInputs,
    *,
    followed: bool,
) -> control_pb2.PlanRecord:
    """What was decided, and what was rejected for it."""
    record = control_pb2.PlanRecord(
        plan=message, followed=followed, inputs=inputs, changes=bool(plan.moves)
    )
    for move in plan.moves:
        told = record.moves.add(pool=move.pool, workers=move.workers, to=move.after)
        getattr(told, "from").extend(move.before)
    for other in plan.alternatives:
        record.alternatives.add(name=other.name, description=other.description, cost=other.cost)
    return record


def as_is(message: cluster_pb2.Plan) -> control_pb2.PlanRecord:
    """A plan that says what the workers hold, since that has changed."""
    return control_pb2.PlanRecord(plan=message, followed=True, changes=True)


def inputs_of(
    loop: ControlLoop,
    standing: cluster_pb2.Plan,
    seen: Queues,
    outcome: Outcome,
    now: float,
) -> control_pb2.PlanInputs:
    """What the loop's last plan was made from; `standing` was in force before."""
    return control_pb2.PlanInputs(
        expected_rate=loop.expected,
        burstiness=loop.burstiness,
        queues=seen.together(now),
        standing=standing.allocations,
        fared=control_pb2.Fared(met=outcome.met, missed=outcome.missed),
        seconds=[
            cluster_pb2.LevelSeconds(
                level=one.level,
                gpu_type=one.gpu_type,
                stated=duration(one.stated),
                measured=None if one.measured is None else duration(one.measured),
                planned=duration(one.planned),
            )
            for one in loop.measured.beliefs
        ],
    )


class Queues:
    """What routers last told of what waits at them; times in seconds on one clock."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, list[control_pb2.QueueLoad]]] = {}

    def hear(self, report: control_pb2.LoadReport, now: float) -> None:
        """Take in a report."""
        self._told[report.router] = (now, list(report.queues))

    def together(self, now: float) -> list[control_pb2.QueueLoad]:
        """By variant, in the order of their names: all of them, and the least slack of any."""
        self._told = {r: told for r, told in self._told.items() if now - told[0] <= _RECENT}
        found: dict[str, control_pb2.QueueLoad] = {}
        for _, queues in self._told.values():
            for queue in queues:
                if (sum_ := found.get(queue.variant)) is None:
                    found[queue.variant] = sum_ = control_pb2.QueueLoad()
                    sum_.CopyFrom(queue)
                    continue
                sum_.queued += queue.queued
                sum_.work.CopyFrom(duration(seconds(sum_.work) + seconds(queue.work)))
                least = min(seconds(sum_.least_slack), seconds(queue.least_slack))
                sum_.least_slack.CopyFrom(duration(least))
        return [found[variant] for variant in sorted(found)]
