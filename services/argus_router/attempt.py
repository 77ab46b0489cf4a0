"""One attempt at one image on one worker, and what its end means for the image."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from argus_core.errors import ArgusError, InvalidRequest, NotFound, NotHeld, Unavailable
from argus_core.spec import Level
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_router.answer import Start
from argus_router.fleet import Worker
from argus_router.job import Job
from argus_router.stream import Ended
from argus_router.wire import schedule, size
from argus_rpc.convert import duration

_LOST = frozenset({"UNAVAILABLE", "CANCELLED", "INTERNAL", "UNKNOWN", "ABORTED", "DATA_LOSS"})
"""Codes that speak of the worker or the way to it, not of the request."""
_SIGN_OF_LIFE = 0.125
"""Of the time for which a worker may tell nothing: when it is to tell something."""
_OURS = ("start", "keep", "capture_steps", "scope")
"""Fields that the router fills in: what is wrong with them is no fault of the request."""


@dataclass(frozen=True)
class Drawn:
    """The image is there."""

    result: worker_pb2.ExecuteResult


@dataclass(frozen=True)
class Refused:
    """The worker did not take it: draining, full, or without the variant. Nothing was begun."""

    error: ArgusError


@dataclass(frozen=True)
class Lost:
    """The worker, or the way to it, failed while it may have been at work."""

    error: ArgusError


@dataclass(frozen=True)
class Failed:
    """The request itself failed, and would again."""

    error: ArgusError
    begun: bool = False


@dataclass(frozen=True)
class StartMissing:
    """The latent that it should begin from is not to be had. Nothing was begun."""

    start: Start


@dataclass(frozen=True)
class LatentsRefused:
    """The worker does not take what it was told of latents. Nothing was begun."""

    error: ArgusError


Outcome = Drawn | Refused | Lost | Failed | StartMissing | LatentsRefused


async def attempt(
    job: Job,
    worker: Worker,
    *,
    remaining: float,
    patience: float,
    began: Callable[[], None],
    heard: Callable[[], None] = lambda: None,
    freed: Callable[[], None] = lambda: None,
) -> Outcome:
    """Have a worker draw a job's image; its steps go to the job's sink.

    Args:
        job: a decided job.
        worker: to ask.
        remaining: seconds until the deadline; the call ends then.
        patience: seconds for which the worker may tell nothing.
        began: called when the worker first tells of it, and so has begun.
        heard: called whenever it says anything.
        freed: called when the last step is done, and the worker's slot is free again.

    Cancelling this cancels the work at the worker.
    """
    message, begun = _message(job, remaining, patience), False
    try:
        async with aclosing(worker.execute(message, timeout=remaining)) as events:
            async for event in events:
                kind = event.WhichOneof("event")
                heard()
                if not begun:
                    begun = True
                    began()
                if kind == "result":
                    return Drawn(event.result)
                if kind == "progress" and event.progress.step == event.progress.steps:
                    freed()
                # Of two attempts only the one that is further is told of.
                if kind == "progress" and event.progress.step > job.step:
                    job.step = event.progress.step
                    job.sink.progressed(job, event.progress)
    except Ended as error:
        return _verdict(error, start=job.start, begun=begun)
    return Lost(Unavailable("the worker ended the call without a result"))


def _verdict(error: Ended, *, start: Start | None, begun: bool) -> Outcome:
    meaning = error.meaning
    if isinstance(meaning, NotHeld):
        return Refused(meaning)
    if isinstance(meaning, NotFound) and start is not None and not begun:
        return StartMissing(start)
    if isinstance(meaning, InvalidRequest) and _is_ours(meaning):
        return LatentsRefused(meaning)
    # A worker that refuses says when to come back; one that died says nothing.
    if isinstance(meaning, Unavailable) and meaning.retry_after is not None and not begun:
        return Refused(meaning)
    return Lost(meaning) if error.code in _LOST else Failed(meaning, begun)


def _is_ours(error: InvalidRequest) -> bool:
    return all(violation.field.startswith(_OURS) for violation in error.violations)


def drawing(job: Job, level: Level, remaining: float) -> worker_pb2.ExecuteRequest:
    """What to ask a worker for a job's image, drawn at some level within so many seconds."""
    request = job.terms.request
    return worker_pb2.ExecuteRequest(
        request_id=job.request_id,
        variant=level.variant,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        size=size(job.terms.size),
        schedule=schedule(level),
        seed=job.seed,
        format=cluster_pb2.ImageFormat.ValueType(job.terms.format),
        deadline=duration(remaining),
    )


def _message(job: Job, remaining: float, patience: float) -> worker_pb2.ExecuteRequest:
    level, request = job.settled.level, job.terms.request
    message = drawing(job, level, remaining)
    message.preview_every_steps = request.preview_steps(level.steps, level.skipped_steps)
    if not request.progress:
        # Nobody looks at it: as much as tells that the worker lives.
        message.progress_interval.CopyFrom(duration(patience * _SIGN_OF_LIFE))
    _add_latents(message, job)
    return message


def _add_latents(message: worker_pb2.ExecuteRequest, job: Job) -> None:
    start, keeping = job.start, job.keeping
    if start is not None:
        message.scope = job.scope
        message.start.step, message.start.key = start.step, start.key
        message.start.compatibility = start.compatibility
    if keeping is not None and (steps := keeping.steps.get(job.settled.level.name)):
        message.scope = job.scope
        message.capture_steps.extend(steps)
        message.keep.embedding, message.keep.encoder = keeping.embedding, keeping.encoder
        message.keep.time_to_live.CopyFrom(duration(keeping.seconds))
