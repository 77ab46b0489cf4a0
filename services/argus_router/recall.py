"""What was decided for the latest requests, for `argus why`: never their prompts.

Model: a record a request, kept from its arrival on, the newest so many. Of a decision the plain
data is kept, and put into words only when somebody asks. Lives on the router's event loop.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp

from argus_core.choice import Decision
from argus_core.errors import NotFound
from argus_protos.v1 import control_pb2, images_pb2
from argus_router import wire
from argus_router.answer import Prediction, Start
from argus_router.job import Job
from argus_rpc.convert import duration

MOST = 1000
"""Requests that are kept."""


@dataclass(kw_only=True)
class _Image:
    first: Decision | None
    first_start: Start | None
    last: Decision | None = None
    last_start: Start | None = None
    outcome: str = ""
    error: str = ""
    worker: str = ""
    attempts: int = 0
    timing: images_pb2.Timing | None = None


@dataclass(frozen=True, kw_only=True)
class _Request:
    arrived_at: int
    """Nanoseconds since 1970."""
    level: str
    deadline: float
    model_version: str
    fallback: str
    plan_id: int
    queued: Mapping[str, int]
    images: dict[int, _Image] = field(default_factory=dict)


class Recall:
    """See the module."""

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}

    def arrived(
        self,
        jobs: list[Job],
        prediction: Prediction,
        *,
        plan_id: int,
        queued: Mapping[str, int],
    ) -> None:
        """A request was taken; `queued` is what waited before it, by variant."""
        first, terms = jobs[0], jobs[0].terms
        self._requests[first.request_id] = _Request(
            arrived_at=time.time_ns(),
            level=terms.request.level or "",
            deadline=terms.deadline,
            model_version=prediction.model_version,
            fallback=prediction.fallback or "",
            plan_id=plan_id,
            queued=dict(queued),
            images={job.index: _Image(first=job.decision, first_start=_start(job)) for job in jobs},
        )
        if len(self._requests) > MOST:
            del self._requests[next(iter(self._requests))]

    def ended(
        self, job: Job, outcome: str, *, error: str = "", timing: images_pb2.Timing | None = None
    ) -> None:
        """An image ended."""
        if (request := self._requests.get(job.request_id)) is None:
            return
        image = request.images[job.index]
        if job.decision is not image.first:
            image.last, image.last_start = job.decision, _start(job)
        image.outcome, image.error, image.timing = outcome, error, timing
        image.worker, image.attempts = job.worker, job.attempts

    def explain(self, request_id: str) -> control_pb2.RequestRecord:
        """What was decided for a request; empty for the latest.

        Raises:
            NotFound: it is not among those that are kept.
        """
        name = request_id or next(reversed(self._requests), "")
        if (request := self._requests.get(name)) is None:
            kept = f"this router knows its latest {MOST} requests"
            raise NotFound(f"{kept}; {name!r} is none of them" if name else "no request came yet")
        arrived_at = Timestamp()
        arrived_at.FromNanoseconds(request.arrived_at)
        return control_pb2.RequestRecord(
            request_id=name,
            arrived_at=arrived_at,
            level=request.level,
            deadline=duration(request.deadline),
            model_version=request.model_version,
            fallback=request.fallback,
            plan_id=request.plan_id,
            queued=request.queued,
            images=[_told(index, image) for index, image in request.images.items()],
        )


def _start(job: Job) -> Start | None:
    return job.start if job.decision is not None else None


def _told(index: int, image: _Image) -> control_pb2.ImageRecord:
    first, last = image.first, image.last
    return control_pb2.ImageRecord(
        index=index,
        first=None if first is None else wire.begun(first, image.first_start, explain=True),
        last=None if last is None else wire.begun(last, image.last_start, explain=True),
        outcome=image.outcome,
        error=image.error,
        worker=image.worker,
        attempts=image.attempts,
        timing=image.timing,
    )
