"""A plan and what came of it, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo

from argus_protos.v1 import cluster_pb2, control_pb2
from argus_rpc.convert import seconds

Record = control_pb2.PlanRecord


def headline(record: Record, zone: tzinfo | None) -> str:
    """When a plan was made, and why."""
    made = made_at(record).astimezone(zone)
    advised = "" if record.followed else ", advised and not done"
    return f"{made:%Y-%m-%d %H:%M:%S}, plan {record.plan.id}{advised}: {record.plan.reason}"


def details(record: Record) -> list[str]:
    """What it was made from, what was rejected, and what came of it; a sentence each."""
    return [
        *_inputs(record),
        *(f"Rejected: {_rejected(other)}." for other in record.alternatives),
        *_aftermath(record),
    ]


def at(records: Sequence[Record], when: datetime) -> Record | None:
    """The plan in force at a time; None before the first that is remembered.

    One that was only advised was never in force, but is what was decided then.
    """
    before = [record for record in records if made_at(record) <= when]
    return before[-1] if before else None


def made_at(record: Record) -> datetime:
    """When a plan was made."""
    return record.plan.made_at.ToDatetime(tzinfo=UTC)


def _inputs(record: Record) -> list[str]:
    if not record.HasField("inputs"):
        return []
    plan, inputs = record.plan, record.inputs
    likeliest = f"{inputs.expected_rate:.3g} likeliest, burstiness {inputs.burstiness:.2g}"
    load = f"{plan.forecast_rate:.3g} images a second ({likeliest})"
    told = [f"Made for {load}; {_waiting(inputs.queues)}."]
    if prices := ", ".join(_price(a) for a in inputs.standing if a.price):
        told.append(f"By the plan before, {prices}.")
    told += _seconds(inputs.seconds)
    if counted := _fared(inputs.fared):
        told.append(f"In the five minutes before, {counted}.")
    told.append(
        f"Expected: mean quality {plan.expected_quality:.3f}, "
        f"{plan.expected_shed:.1%} of requests refused."
    )
    return told


def _waiting(queues: Iterable[control_pb2.QueueLoad]) -> str:
    waiting = [q for q in queues if q.queued]
    if not waiting:
        return "nothing waited"
    total = sum(q.queued for q in waiting)
    by_variant = ", ".join(f"{q.variant or 'undecided'} {q.queued}" for q in waiting)
    slack = min(seconds(q.least_slack) for q in waiting)
    return f"{total} images waited ({by_variant}), the tightest with {slack:.1f} s to spare"


def _seconds(levels: Iterable[cluster_pb2.LevelSeconds]) -> list[str]:
    """Of levels that are planned with other seconds than those stated."""
    other = [one for one in levels if seconds(one.planned) != seconds(one.stated)]
    if not other:
        return []
    named = ", ".join(
        f"{one.level} on {one.gpu_type} with {seconds(one.planned):.3g} s "
        f"(stated {seconds(one.stated):.3g}"
        + (f", measured {seconds(one.measured):.3g})" if one.HasField("measured") else ")")
        for one in other
    )
    return [f"Planned {named}."]


def _price(allocation: cluster_pb2.Allocation) -> str:
    held = "+".join(allocation.loadout)
    return f"a second of {held} in {allocation.pool} was worth {allocation.price:.3g}"


def _rejected(other: control_pb2.Alternative) -> str:
    if other.cost >= 0:
        return f"{other.description}; it would have lost {other.cost:.4f} of mean quality"
    return f"{other.description}; it would have gained {-other.cost:.4f}, less than a change must"


def _aftermath(record: Record) -> list[str]:
    after = record.aftermath
    told = []
    if after.switches:
        workers = f"{after.switched} of {after.switches} workers have switched"
        took = f", within {seconds(after.took):.1f} s" if after.HasField("took") else ""
        late = "; the next change came first" if after.over and not took else ""
        told.append(f"{workers}{took}{late}.")
    if counted := _fared(after.fared):
        told.append(f"{'Afterwards' if after.over else 'Since'}, {counted}.")
    return told


def _fared(fared: control_pb2.Fared) -> str:
    total = fared.met + fared.missed
    return f"{fared.met / total:.1%} of {total} requests were in time" if total else ""
