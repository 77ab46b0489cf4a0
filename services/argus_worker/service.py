"""argus.v1.WorkerService: the wire on one side, the worker on the other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

import grpc

from argus_core.errors import DeadlineMissed, Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2, worker_pb2_grpc
from argus_rpc import tracing
from argus_rpc.convert import duration, seconds
from argus_worker import images
from argus_worker.check import to_order
from argus_worker.job import Job
from argus_worker.many import Many
from argus_worker.masters import Held
from argus_worker.order import Drawn, Failed, Order, Progress, Started
from argus_worker.scoring import Scorer
from argus_worker.shelf import Promised, Shelf
from argus_worker.worker import Worker

LONGEST = 3600.0
"""Seconds that an image may take where neither request nor call names a deadline."""
FREES_PIXELS = 256 * 256
"""Of an image, from which on decoding, encoding and sending it take so long that it is told in any
case when the last step is done, and so the slot free."""
SERVICE = "argus.v1.WorkerService"

Context = grpc.aio.ServicerContext[Any, Any]


class WorkerServicer(worker_pb2_grpc.WorkerServiceServicer):
    """Serves one worker."""

    def __init__(
        self,
        worker: Worker,
        *,
        name: str,
        scorer: Scorer,
        shelf: Shelf | None,
        drawn: Callable[[Order, Drawn], None] = lambda _order, _drawn: None,
    ) -> None:
        """`drawn` hears of every image that is done."""
        self._worker, self._name, self._scorer, self._shelf = worker, name, scorer, shelf
        self._drawn = drawn
        self._streams: set[Many] = set()
        self._started = worker_pb2.ExecuteResponse(started=worker_pb2.ExecuteStarted(worker=name))

    async def Execute(  # type: ignore[override]  # noqa: N802 - gRPC's names
        self, request: worker_pb2.ExecuteRequest, context: Context
    ) -> AsyncIterator[worker_pb2.ExecuteResponse]:
        """Draw one image."""
        left = time_left(request, context)
        held = self._worker.held(request.variant)
        deadline = self._worker.engine.clock() + left
        tracing.note(variant=request.variant, worker=self._name, steps=request.schedule.steps)
        order, fetch = await self._order(request, held, left)
        job = self._worker.begin(order, deadline=deadline)
        if order.start_key and (shelf := self._shelf):
            shelf.used(order)
        # The stream's end is heard even while this generator waits for its reader.
        context.add_done_callback(lambda _context: job.cancel())  # type: ignore[arg-type]
        try:
            async for response in self._responses(job, request, fetch):
                yield response
        finally:
            job.cancel()

    async def ExecuteMany(  # type: ignore[override]  # noqa: N802
        self, requests: AsyncIterator[worker_pb2.ExecuteManyRequest], context: Context
    ) -> AsyncIterator[worker_pb2.ExecuteManyResponse]:
        """Draw many images."""
        many = Many(self.Execute)
        self._streams.add(many)
        try:
            async with aclosing(many.serve(requests, context)) as told:
                async for message in told:
                    yield message
        finally:
            self._streams.discard(many)

    def close(self) -> None:
        """End the streams of many images once what is under way has been told."""
        for many in self._streams:
            many.close()

    async def _order(
        self, request: worker_pb2.ExecuteRequest, held: Held, left: float
    ) -> tuple[Order, float | None]:
        """The order, its start fetched; and the seconds of that, None where there was none."""
        shelf = self._shelf
        order = to_order(request, held, has_store=shelf is not None)
        if shelf is None or not order.start_key:
            return order, None
        order, fetch = await shelf.fetch(order, time_left=left)
        # The loadout may have changed meanwhile.
        if self._worker.held(request.variant) is not held:
            raise Unavailable("the variant was loaded anew meanwhile", retry_after=0.0)
        return order, fetch

    async def Assign(  # type: ignore[override]  # noqa: N802
        self,
        request: worker_pb2.AssignRequest,
        context: Context,  # noqa: ARG002
    ) -> worker_pb2.AssignResponse:
        """Change the loadout, or only tell what is likely to be next."""
        loadout, prefetch = list(request.loadout), list(request.prefetch)
        if prefetch and not loadout:
            return worker_pb2.AssignResponse(generation=self._worker.expect(prefetch))
        return worker_pb2.AssignResponse(generation=self._worker.assign(loadout, prefetch=prefetch))

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
        self, job: Job, request: worker_pb2.ExecuteRequest, fetch: float | None
    ) -> AsyncIterator[worker_pb2.ExecuteResponse]:
        clock, wanted = self._worker.engine.clock, request.format
        apart, told = seconds(request.progress_interval), -math.inf
        pixels = job.order.width * job.order.height
        while True:
            try:
                event = await job.outbox.get(job.deadline - clock())
            except TimeoutError as error:
                raise DeadlineMissed("the deadline passed while drawing") from error
            match event:
                case Started():
                    told = clock()
                    if not apart or request.HasField("start"):
                        yield self._started
                case Progress():
                    tracing.moment("step", step=event.step)
                    frees = event.step == event.steps and pixels >= FREES_PIXELS
                    if event.preview is None and clock() - told < apart and not frees:
                        continue
                    told = clock()
                    yield worker_pb2.ExecuteResponse(progress=await _progress(event, wanted))
                case Failed():
                    raise event.error
                case Drawn():
                    self._drawn(job.order, event)
                    _trace(event)
                    async for response in self._finished(job.order, event, wanted, fetch):
                        yield response
                    return

    async def _finished(
        self,
        order: Order,
        drawn: Drawn,
        wanted: cluster_pb2.ImageFormat.ValueType,
        fetch: float | None,
    ) -> AsyncIterator[worker_pb2.ExecuteResponse]:
        result = await _result(drawn, wanted)
        if fetch is not None:
            result.fetch.CopyFrom(duration(fetch))
        if order.keep is None:
            result.captured.extend(_captured(order, drawn))
            yield worker_pb2.ExecuteResponse(result=result)
            return
        shelf = self._shelf
        promised = shelf.promise(order, drawn) if shelf else None
        if promised is not None:
            result.captured.extend(_promised(promised))
        try:
            yield worker_pb2.ExecuteResponse(result=result)
        finally:
            # Once the image was sent.
            if shelf is not None and promised is not None:
                shelf.keep(promised)


def _trace(drawn: Drawn) -> None:
    """Spans of an image's stages, the last of which is just over."""
    stages = ("queue", "encode", "denoise", "decode")
    ago = 0.0
    for stage in reversed(stages):
        tracing.past(stage, getattr(drawn, stage), ago=ago)
        ago += getattr(drawn, stage)


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


def _captured(order: Order, drawn: Drawn) -> Iterator[worker_pb2.Latent]:
    for kept in drawn.captured:
        yield worker_pb2.Latent(step=kept.step, compatibility=order.compatibility, data=kept.data)


def _promised(promised: Promised) -> Iterator[worker_pb2.Latent]:
    entry = promised.entry
    for step in entry.steps:
        yield worker_pb2.Latent(step=step, compatibility=entry.compatibility, key=entry.key)


async def _result(
    drawn: Drawn, wanted: cluster_pb2.ImageFormat.ValueType
) -> worker_pb2.ExecuteResult:
    return worker_pb2.ExecuteResult(
        # Off the engine's thread, so that the device need not wait for a PNG.
        image=await asyncio.to_thread(images.encode, drawn.image, wanted),
        queue=duration(drawn.queue),
        encode=duration(drawn.encode),
        denoise=duration(drawn.denoise),
        decode=duration(drawn.decode),
    )
