"""The Python client: `Client` for asyncio, `SyncClient` for everyone else.

    async with Client("127.0.0.1:8000") as client:
        (image,) = await client.draw(Order(prompt="a large red circle"))

Errors are the leaves of `argus_core.errors`, as the server raised them. A call is tried again,
within its deadline and a few times at most, where the error says that this may help.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from argus_cli.drawn import Drawn, Order
from argus_cli.retry import Retry, retry_delay
from argus_core.errors import ArgusError, DeadlineMissed, Unavailable
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2, worker_pb2
from argus_protos.v1.control_pb2_grpc import ControlServiceStub
from argus_protos.v1.images_pb2_grpc import ImageServiceStub
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_rpc.channel import open_channel
from argus_rpc.convert import duration
from argus_rpc.errors import from_rpc

if TYPE_CHECKING:
    from argus_protos.v1.control_pb2_grpc import ControlServiceAsyncStub
    from argus_protos.v1.images_pb2_grpc import ImageServiceAsyncStub
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub

__all__ = ["Client", "Drawn", "Order", "SyncClient"]

LONGEST = 24 * 3600.0
"""Seconds that a call without a deadline may last; the server's own ends it long before."""
_GRACE = 1.0
"""Seconds beyond the deadline in which the server may still say itself that it is over."""

T = TypeVar("T")
Event = images_pb2.GenerateResponse


class Client:
    """A client of one router. Belongs to the event loop that it is first used on."""

    def __init__(
        self,
        endpoint: str,
        *,
        retry: Retry | None = None,
        tenant: str = "",
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """`tenant` is whose the requests are; empty for the cluster's own."""
        self._metadata = (("argus-tenant", tenant),) if tenant else ()
        self._retry = retry or Retry()
        self._clock, self._rng = clock, rng or random.Random()
        self._channel = open_channel(endpoint)
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
        """
        ends = self._ends(order.deadline)
        attempt = 0
        while True:
            attempt, told = attempt + 1, False
            try:
                async with aclosing(self._generate_once(order, ends)) as events:
                    async for event in events:
                        told = True
                        yield event
            except ArgusError as error:
                if told:
                    raise
                await self._wait_or_raise(error, attempt, ends)
            else:
                return

    async def draw(
        self, order: Order, *, on_event: Callable[[Event], None] = lambda _event: None
    ) -> list[Drawn]:
        """The images of a request, in their order. `on_event` hears all that happens."""

        async def once(ends: float) -> list[Drawn]:
            drawn = []
            async with aclosing(self._generate_once(order, ends)) as events:
                async for event in events:
                    on_event(event)
                    if event.HasField("result"):
                        drawn.append(Drawn.of(event))
            return sorted(drawn, key=lambda image: image.index)

        return await self._patiently(once, order.deadline)

    async def describe(self, *, timeout: float = 10.0) -> images_pb2.DescribeClusterResponse:
        """What the cluster can draw, with what, and what its workers are doing."""

        async def once(ends: float) -> images_pb2.DescribeClusterResponse:
            return await _call(
                self._images.DescribeCluster,
                images_pb2.DescribeClusterRequest(),
                ends - self._clock(),
            )

        return await self._patiently(once, timeout)

    async def apply_plan(self, plan: cluster_pb2.Plan, *, timeout: float = 10.0) -> None:
        """Make a plan the one in force at this router; tried once."""
        await _call(self._control.ApplyPlan, control_pb2.ApplyPlanRequest(plan=plan), timeout)

    async def watch_load(self, *, interval: float) -> AsyncGenerator[control_pb2.LoadReport]:
        """What this router sees, now and every `interval` seconds; tried once, and ends with it."""
        request = control_pb2.WatchLoadRequest(interval=duration(interval))
        call = self._control.WatchLoad(request)
        try:
            async for response in call:
                yield response.report
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    async def _generate_once(self, order: Order, ends: float) -> AsyncGenerator[Event]:
        remaining = ends - self._clock()
        if remaining <= 0:
            raise DeadlineMissed("the deadline passed before the request was sent")
        call = self._images.Generate(
            order.message(remaining=remaining),
            # Without a deadline the call must name none either: the cluster's counts then.
            timeout=None if math.isinf(remaining) else remaining + _GRACE,
            metadata=self._metadata,
        )
        try:
            async with asyncio.timeout(min(remaining + 2 * _GRACE, LONGEST)):
                async for event in call:
                    yield event
        except TimeoutError as error:
            raise DeadlineMissed("the deadline passed without an answer") from error
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()

    async def _patiently(self, once: Callable[[float], Awaitable[T]], deadline: float | None) -> T:
        ends, attempt = self._ends(deadline), 0
        while True:
            attempt += 1
            try:
                return await once(ends)
            except ArgusError as error:
                await self._wait_or_raise(error, attempt, ends)

    async def _wait_or_raise(self, error: ArgusError, attempt: int, ends: float) -> None:
        remaining = ends - self._clock()
        delay = retry_delay(
            error, attempt=attempt, remaining=remaining, retry=self._retry, rng=self._rng
        )
        if delay is None:
            raise error
        await asyncio.sleep(delay)

    def _ends(self, deadline: float | None) -> float:
        return math.inf if deadline is None else self._clock() + deadline


async def assign(
    address: str, loadout: Sequence[str], *, plan_id: int = 0, timeout: float = 10.0
) -> int:
    """Tell the worker at `address` what to hold; returns the assignment's generation.

    `plan_id` is of the plan that asks for it; 0 for none.

    Raises:
        InvalidRequest: the worker does not know a variant.
    """
    async with open_channel(address) as channel:
        stub: WorkerServiceAsyncStub = WorkerServiceStub(channel)
        request = worker_pb2.AssignRequest(loadout=loadout, plan_id=plan_id)
        response: worker_pb2.AssignResponse = await _call(stub.Assign, request, timeout)
        return response.generation


async def assign_and_wait(
    address: str, loadout: Sequence[str], *, timeout: float = 120.0
) -> cluster_pb2.WorkerState:
    """Have the worker at `address` hold exactly these variants; returns its state once it does.

    Raises:
        InvalidRequest: the worker does not know a variant.
        Unavailable: it could not load them, is stopping, or was told otherwise meanwhile.
        DeadlineMissed: it was not ready within `timeout` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            generation = await assign(address, loadout, timeout=timeout)
            async with aclosing(watch(address)) as states:
                async for state in states:
                    if state.generation < generation:
                        continue
                    if _settled(state, generation):
                        return state
    except TimeoutError as error:
        raise DeadlineMissed(f"{address} was not ready within {timeout:g} s") from error
    raise Unavailable(f"{address} stopped telling its state")


async def watch(address: str) -> AsyncGenerator[cluster_pb2.WorkerState]:
    """The states of the worker at `address`, as it tells them; ends when it does."""
    async with open_channel(address) as channel:
        stub: WorkerServiceAsyncStub = WorkerServiceStub(channel)
        call = stub.Watch(worker_pb2.WatchRequest())
        try:
            async for response in call:
                yield response.state
        except grpc.aio.AioRpcError as error:
            raise from_rpc(error) from error
        finally:
            call.cancel()


def _settled(state: cluster_pb2.WorkerState, generation: int) -> bool:
    if state.generation > generation:
        raise Unavailable(f"{state.worker} was told to hold {', '.join(state.assigned)} meanwhile")
    if state.phase in (cluster_pb2.WORKER_PHASE_FAILED, cluster_pb2.WORKER_PHASE_STOPPING):
        raise Unavailable(f"{state.worker}: {state.reason}")
    return state.phase == cluster_pb2.WORKER_PHASE_READY


async def _call(method: Callable[..., Awaitable[T]], request: object, timeout: float) -> T:
    try:
        return await method(request, timeout=max(timeout, 0.001))
    except grpc.aio.AioRpcError as error:
        raise from_rpc(error) from error


class SyncClient:
    """The same for code without asyncio; not for use within a running event loop."""

    def __init__(self, endpoint: str, *, retry: Retry | None = None, tenant: str = "") -> None:
        self._runner = asyncio.Runner()
        self._client = self._runner.run(_make(endpoint, retry, tenant))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._runner.run(self._client.close())
        self._runner.close()

    def generate(self, order: Order) -> Iterator[Event]:
        """See `Client.generate`."""
        events = self._client.generate(order)
        try:
            with suppress(StopAsyncIteration):
                while True:
                    yield self._runner.run(_next(events))
        finally:
            self._runner.run(events.aclose())

    def draw(
        self, order: Order, *, on_event: Callable[[Event], None] = lambda _event: None
    ) -> list[Drawn]:
        """See `Client.draw`."""
        return self._runner.run(self._client.draw(order, on_event=on_event))

    def describe(self, *, timeout: float = 10.0) -> images_pb2.DescribeClusterResponse:
        """See `Client.describe`."""
        return self._runner.run(self._client.describe(timeout=timeout))

    def assign_and_wait(
        self, address: str, loadout: Sequence[str], *, timeout: float = 120.0
    ) -> cluster_pb2.WorkerState:
        """See `assign_and_wait`."""
        return self._runner.run(assign_and_wait(address, loadout, timeout=timeout))


async def _make(endpoint: str, retry: Retry | None, tenant: str) -> Client:
    return Client(endpoint, retry=retry, tenant=tenant)


async def _next(events: AsyncGenerator[Event]) -> Event:
    return await anext(events)
