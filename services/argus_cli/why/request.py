"""What was decided for a request, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo

from argus_protos.v1 import control_pb2, images_pb2
from argus_rpc.convert import seconds

_FALLBACKS = {
    "none": "there is no predictor",
    "lost": "the predictor does not answer",
    "timeout": "the predictor was too slow",
    "shed": "the predictor had too much to do",
    "refused": "the predictor would not have it",
    "invalid": "the predictor's answer made no sense",
}


def arrival(record: control_pb2.RequestRecord, zone: tzinfo | None) -> list[str]:
    """What came, and what it found."""
    came = record.arrived_at.ToDatetime(tzinfo=UTC).astimezone(zone)
    count, level = len(record.images), record.level or "any level"
    noun = "image" if count == 1 else "images"
    predicted = (
        "Its predicted quality is the ladder's mean of each level, as "
        f"{_FALLBACKS.get(record.fallback, record.fallback)}."
        if record.fallback
        else f"Its quality was predicted by {record.model_version or 'a head without a name'}."
    )
    plan = f"Plan {record.plan_id} was in force" if record.plan_id else "No plan was in force"
    asked = f"{count} {noun} at {level}, within {seconds(record.deadline):.3g} s"
    return [
        f"Request {record.request_id} came at {came:%Y-%m-%d %H:%M:%S}: {asked}.",
        predicted,
        f"{plan}; {_queued(record.queued)}.",
    ]


def image(record: control_pb2.ImageRecord) -> list[str]:
    """What was decided for an image, on arrival and when its turn came, and what ran."""
    told = []
    if record.HasField("first"):
        told.append(f"On arrival: {_decision(record.first)}.")
    else:
        told.append("On arrival no worker held a variant that could serve it.")
    if record.HasField("last"):
        told.append(f"When its turn came: {_decision(record.last)}.")
    return [*told, _ran(record)]


def weighed(record: control_pb2.ImageRecord) -> list[images_pb2.Option]:
    """The levels of the decision that held, best first."""
    return list((record.last if record.HasField("last") else record.first).options)


def _decision(decision: images_pb2.Decision) -> str:
    return (
        f"{decision.level}, with a predicted quality of {decision.predicted_quality:.3f} at a "
        f"price of {decision.price:.3g} a second, to be done within "
        f"{seconds(decision.expected_completion):.2f} s of its arrival; {decision.reason}"
    )


def _ran(record: control_pb2.ImageRecord) -> str:
    if not record.outcome:
        return "It is under way."
    if record.outcome != "ok":
        why = f": {record.error}" if record.error else ""
        return f"It was not drawn ({record.outcome}){why}."
    level = (record.last if record.HasField("last") else record.first).level
    timing = record.timing
    drawing = seconds(timing.encode) + seconds(timing.denoise) + seconds(timing.decode)
    again = "" if record.attempts == 1 else f", the attempt number {record.attempts}"
    return (
        f"{record.worker} drew it at {level}{again}: {seconds(timing.predict):.3f} s of "
        f"predicting, {seconds(timing.queue):.3f} s of waiting, {drawing:.3f} s of drawing; "
        f"{seconds(timing.total):.3f} s in all."
    )


def _queued(queued: Mapping[str, int]) -> str:
    waiting = {variant: count for variant, count in sorted(queued.items()) if count}
    if not waiting:
        return "nothing waited"
    by_variant = ", ".join(f"{variant or 'undecided'} {n}" for variant, n in waiting.items())
    return f"{sum(waiting.values())} images waited ({by_variant})"
