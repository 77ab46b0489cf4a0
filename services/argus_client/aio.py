"""The client for asyncio."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from argus_client.opening import Tls, metadata, open_async
from argus_client.order import Order
from argus_client.patience import Heard, Patience, nothing, timeout
from argus_client.picture import Accepted, Collected, Event, Picture, Progress, event_of, noted
from argus_client.retry import Retry
from argus_core.errors import ArgusError
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_rpc import tracing
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc

if TYPE_CHECKING:
    from argus_protos.v1.control_pb2_grpc import ControlServiceAsyncStub
    from argus_protos.v1.images_pb2_grpc import ImageServiceAsyncStub

T = TypeVar("T")


class AsyncClient:
    """A client of a cluster. Belongs to the event loop that it is first used on."""

    def __init__(
        self,
        endpoint: str,
        *,
        tenant: str = "",
        api_key: str = "",
        tls: Tls | None = None,
        retry: Retry | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Connects when first used.

        Args:
            endpoint: `host:port` of a router, or several `ip:port` with commas between.
            tenant: whose the requests are; empty for the cluster's own.
            api_key: told with every call; over TLS only, or whoever listens has it too.
            tls: files of an encrypted connection; None for a plain one.
            retry: how patiently calls are tried again.
            clock: monotonic seconds.
            rng: varies delays.

        Raises:
            InvalidRequest: a file of `tls` cannot be read.
        """
        self._metadata = metadata(tenant=tenant, api_key=api_key)
        self._retry, self._clock, self._rng = retry or Retry(), clock, rng or random.Random()
        self._channel = open_async(endpoint, tls)
        self._images: ImageServiceAsyncStub = ImageServiceStub(self._channel)
        self._control: ControlServiceAsyncStub = ControlServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        await self._channel.close()

    async def generate(self, order: Order) -> AsyncGenerator[Event]:
        """The events of a request, as they come; close the generator to cancel it.

        Tried again only while nothing has been told yet. `draw` is for those who want the
        images and no story.

        Raises:
            ArgusError: the leaf that the router raised.
        """
        patience = self._patience(order.deadline)
        while True:
            told = False
            try:
                async with aclosing(self._generate_once(order, patience)) as events:
                    async for event in events:
                        told = True
                        yield event
            except ArgusError as error:
                if told:
                    raise
                await asyncio.sleep(patience.delay(error))
            else:
                return

    async def draw(
        self,
        order: Order,
        *,
        on_accepted: Callable[[Accepted], None] = nothing,
        on_progress: Callable[[Progress], None] | None = None,
        on_retry: Heard = nothing,
    ) -> list[Picture]:
        """The images of a request, in their order.

        Args:
            order: what to draw.
            on_accepted: hears of each image's first decision.
            on_progress: hears of each denoising step; a preview comes with it where asked for.
                None, and the router sends no steps.
            on_retry: hears what a try ended with, and after how many seconds the next is made.

        Raises:
            ArgusError: the leaf that the router raised last.
        """
        patience = self._patience(order.deadline, on_retry)
        while True:
            try:
                return await self._draw_once(order, patience, on_accepted, on_progress)
            except ArgusError as error:
                await asyncio.sleep(patience.delay(error))

    async def describe(self, *, timeout: float = 10.0) -> images_pb2.DescribeClusterResponse:
        """What the cluster can draw, with what, and what its workers are doing."""
        patience = self._patience(timeout)
        while True:
            try:
                return await answer(
                    self._images.DescribeCluster,
                    images_pb2.DescribeClusterRequest(),
                    patience.begin(),
                    self._metadata,
                )
            except ArgusError as error:
                await asyncio.sleep(patience.delay(error))

    async def apply_plan(self, plan: cluster_pb2.Plan, *, timeout: float = 10.0) -> None:
        """Make a plan the one in force at this router; tried once."""
        request = control_pb2.ApplyPlanRequest(plan=plan)
        await answer(self._control.ApplyPlan, request, timeout, self._metadata)

    async def record_plans(
        self, records: Iterable[control_pb2.PlanRecord], *, timeout: float = 10.0
    ) -> None:
        """Have this router know of plans; tried once."""
        request = control_pb2.RecordPlansRequest(records=records)
        await answer(self._control.RecordPlans, request, timeout, self._metadata)

    async def plans(
        self, *, newest: int = 0, changes_only: bool = False, timeout: float = 10.0
    ) -> list[control_pb2.PlanRecord]:
        """The plans of late that this router knows of, oldest first; 0 for all."""
        request = control_pb2.ListPlansRequest(newest=newest, changes_only=changes_only)
        told = await answer(self._control.ListPlans, request, timeout, self._metadata)
        return list(told.records)

    async def explain(
        self, request_id: str = "", *, timeout: float = 10.0
    ) -> control_pb2.RequestRecord:
        """What this router decided for a request of late; empty for the latest.

        Raises:
            NotFound: it knows of none.
        """
        request = control_pb2.ExplainRequest(request_id=request_id)
        told = await answer(self._control.Explain, request, timeout, self._metadata)
        return told.record

    async def watch_load(
        self, *, interval: float, observing: bool = False
    ) -> AsyncGenerator[control_pb2.LoadReport]:
        """What this router sees, now and every `interval` seconds; tried once, and ends with it.

        Whoever is `observing` only looks on, and is no sign of a control loop.
        """
        request = control_pb2.WatchLoadRequest(interval=duration(interval), observing=observing)
        call = self._control.WatchLoad(request, metadata=self._metadata)
        try:
            async for response in call:
                yield response.report
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    async def _draw_once(
        self,
        order: Order,
        patience: Patience,
        on_accepted: Callable[[Accepted], None],
        on_progress: Callable[[Progress], None] | None,
    ) -> list[Picture]:
        drawn, heard = Collected(on_accepted, on_progress), on_progress is not None
        async with aclosing(self._generate_once(order, patience, progress=heard)) as events:
            async for event in events:
                drawn.hear(event)
        return drawn.pictures()

    async def _generate_once(
        self, order: Order, patience: Patience, *, progress: bool = True
    ) -> AsyncGenerator[Event]:
        remaining, calling = patience.begin(), tracing.Calling("argus.generate")
        call = self._images.Generate(
            order.message(remaining=remaining, progress=progress),
            timeout=timeout(remaining),
            metadata=(*self._metadata, *calling.metadata),
        )
        pictures, ended = 0, "CANCELLED"
        try:
            async for response in call:
                event = event_of(response)
                pictures += isinstance(event, Picture)
                noted(calling, event)
                yield event
            ended = ""
        except grpc.aio.AioRpcError as error:
            # With all of its pictures a request is answered, however late it is called over.
            ended = ""
            if pictures < order.count:
                ended = error.code().name
                raise from_rpc(error) from error
        finally:
            call.cancel()
            calling.end(ended)

    def _patience(self, deadline: float | None, heard: Heard = nothing) -> Patience:
        return Patience(deadline, retry=self._retry, clock=self._clock, rng=self._rng, heard=heard)


async def answer(
    method: Callable[..., Awaitable[T]],
    request: object,
    timeout: float,
    said: tuple[tuple[str, str], ...] = (),
) -> T:
    """A unary call's answer, within `timeout` seconds; errors are the core's."""
    try:
        return await method(request, timeout=max(timeout, 0.001), metadata=said)
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error
