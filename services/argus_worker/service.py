"""argus.v1.WorkerService: the wire on one side, the worker on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc

from argus_core.errors import DeadlineMissed
from argus_protos.v1 import cluster_pb2, worker_pb2, worker_pb2_grpc
from argus_rpc.convert import duration, seconds
from argus_worker import images
from argus_worker.check import to_order
from argus_worker.engine import Job
from argus_worker.order import Drawn, Failed, Progress, Started
from argus_worker.scoring import Scorer
from argus_worker.worker import Worker

LONGEST = 3600.0
"""Seconds that an image may take where neither request nor call names a deadline."""
SERVICE = "argus.v1.WorkerService"

Context = grpc.aio.ServicerContext[Any, Any]


class WorkerServicer(worker_pb2_grpc.WorkerServiceServicer):
    """Serves one worker."""

    def __init__(self, worker: Worker, *, name: str, scorer: Scorer) -> None:
        self._worker, self._name, self._scorer = worker, name, scorer

    async def Execute(  # type: ignore[override]  # noqa: N802 - gRPC's names
        self, request: worker_pb2.ExecuteRequest, context: Context
    ) -> AsyncIterator[worker_pb2.ExecuteResponse]:
        """Draw one image."""
        left = time_left(request, context)
        held = self._worker.held(request.variant)
        order = to_order(request, held)
        job = self._worker.begin(order, deadline=self._worker.engine.clock() + left)
        # The stream's end is heard even while this generator waits for its reader.
        context.add_done_callback(lambda _context: job.cancel())  # type: ignore[arg-type]
        try:
            async for response in self._responses(job, request.format):
                yield response
        finally:
            job.cancel()

    async def Assign(  # type: ignore[override]  # noqa: N802
        self,
        request: worker_pb2.AssignRequest,
        context: Context,  # noqa: ARG002
    ) -> worker_pb2.AssignResponse:
        """Change the loadout."""
        return worker_pb2.AssignResponse(generation=self._worker.assign(list(request.loadout)))

    async def Watch(  # type: ignore[override]  # noqa: N802
        self,
        request: worker_pb2.WatchRequest,  # noqa: ARG002
        context: Context,  # noqa: ARG002
    ) -> AsyncIterator[worker_pb2.WatchResponse]:
        """Tell the state, again and again."""
        async for state in self._worker.watch():
            yield worker_pb2.WatchResponse(state=state)

    async def Score(  # type: ignore[override]  # noqa: N802
        self, request: worker_pb2.ScoreRequest, context: Context
    ) -> worker_pb2.ScoreResponse:
        """Judge images."""
        of_call = context.time_remaining()
        left = LONGEST if of_call is None else min(LONGEST, of_call)
        return await self._scorer.score(request, time_left=left)

    async def _responses(
        self, job: Job, wanted: cluster_pb2.ImageFormat.ValueType
    ) -> AsyncIterator[worker_pb2.ExecuteResponse]:
        clock = self._worker.engine.clock
        while True:
            try:
                event = await job.outbox.get(job.deadline - clock())
            except TimeoutError as error:
                raise DeadlineMissed("the deadline passed while drawing") from error
            match event:
                case Started():
                    started = worker_pb2.ExecuteStarted(worker=self._name)
                    yield worker_pb2.ExecuteResponse(started=started)
                case Progress():
                    yield worker_pb2.ExecuteResponse(progress=await _progress(event, wanted))
                case Failed():
                    raise event.error
                case Drawn():
                    result = await _result(event, job.order.compatibility, wanted)
                    yield worker_pb2.ExecuteResponse(result=result)
                    return


def time_left(request: worker_pb2.ExecuteRequest, context: Context) -> float:
    """Seconds that the image may take: the request's, the call's, or the longest there is.

    Raises:
        DeadlineMissed: there are none left.
    """
    of_call = context.time_remaining()
    left = min(LONGEST, LONGEST if of_call is None else of_call)
    if request.HasField("deadline"):
        left = min(left, seconds(request.deadline))
    if left <= 0:
        raise DeadlineMissed("the deadline had passed before work began")
    return left


async def _progress(
    event: Progress, wanted: cluster_pb2.ImageFormat.ValueType
) -> worker_pb2.ExecuteProgress:
    progress = worker_pb2.ExecuteProgress(step=event.step, steps=event.steps)
    if event.preview is not None:
        progress.preview.CopyFrom(await asyncio.to_thread(images.encode, event.preview, wanted))
    return progress


async def _result(
    drawn: Drawn, compatibility: str, wanted: cluster_pb2.ImageFormat.ValueType
) -> worker_pb2.ExecuteResult:
    return worker_pb2.ExecuteResult(
        # Off the engine's thread, so that the device need not wait for a PNG.
        image=await asyncio.to_thread(images.encode, drawn.image, wanted),
        captured=[
            worker_pb2.Latent(step=kept.step, compatibility=compatibility, data=kept.data)
            for kept in drawn.captured
        ],
        queue=duration(drawn.queue),
        encode=duration(drawn.encode),
        denoise=duration(drawn.denoise),
        decode=duration(drawn.decode),
    )
