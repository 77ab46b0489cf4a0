"""One attempt at one image on one worker, and what its end means for the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc

from argus_core.errors import ArgusError, NotHeld, Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_router.job import Job
from argus_router.wire import schedule, size
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc

if TYPE_CHECKING:
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub

_LOST = frozenset({"UNAVAILABLE", "CANCELLED", "INTERNAL", "UNKNOWN", "ABORTED", "DATA_LOSS"})
"""Codes that speak of the worker or the way to it, not of the request."""


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


Outcome = Drawn | Refused | Lost | Failed


async def attempt(
    job: Job,
    stub: WorkerServiceAsyncStub,
    *,
    remaining: float,
    began: Callable[[], None],
) -> Outcome:
    """Have a worker draw a job's image; its steps go to the job's sink.

    Args:
        job: a decided job.
        stub: the worker to ask.
        remaining: seconds until the deadline; the call ends then.
        began: called when the worker says that it has begun.

    Cancelling this cancels the work at the worker.
    """
    call = stub.Execute(_message(job, remaining), timeout=remaining)
    begun = False
    try:
        async for event in call:
            kind = event.WhichOneof("event")
            if kind == "result":
                return Drawn(event.result)
            if not begun:
                begun = True
                began()
            if kind == "progress":
                job.sink.progressed(job, event.progress)
    except grpc.aio.AioRpcError as error:
        return _verdict(error, begun=begun)
    finally:
        call.cancel()
    return Lost(Unavailable("the worker ended the call without a result"))


def _verdict(error: grpc.aio.AioRpcError, *, begun: bool) -> Outcome:
    meaning = from_rpc(error)
    if isinstance(meaning, NotHeld):
        return Refused(meaning)
    # A worker that refuses says when to come back; one that died says nothing.
    if isinstance(meaning, Unavailable) and meaning.retry_after is not None and not begun:
        return Refused(meaning)
    return Lost(meaning) if error.code().name in _LOST else Failed(meaning)


def _message(job: Job, remaining: float) -> worker_pb2.ExecuteRequest:
    level, request = job.settled.level, job.terms.request
    return worker_pb2.ExecuteRequest(
        request_id=job.request_id,
        variant=level.variant,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        size=size(job.terms.size),
        schedule=schedule(level),
        seed=job.seed,
        preview_every_steps=request.preview_every_steps,
        format=cluster_pb2.ImageFormat.ValueType(job.terms.format),
        deadline=duration(remaining),
    )
