"""What a control loop asks of workers: hold this, and how is it going.

`peers` is how they are met; None for plainly.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

import grpc

from argus_client.aio import answer
from argus_core.errors import DeadlineMissed, Unavailable
from argus_protos.v1 import cluster_pb2, worker_pb2
from argus_protos.v1.worker_pb2_grpc import WorkerServiceStub
from argus_rpc.channel import open_channel
from argus_rpc.errors import from_rpc
from argus_rpc.peers import Peers

if TYPE_CHECKING:
    from argus_protos.v1.worker_pb2_grpc import WorkerServiceAsyncStub


async def assign(
    address: str,
    loadout: Sequence[str],
    *,
    plan_id: int = 0,
    timeout: float = 10.0,
    peers: Peers | None = None,
) -> int:
    """Tell the worker at `address` what to hold; returns the assignment's generation.

    `plan_id` is of the plan that asks for it; 0 for none.

    Raises:
        InvalidRequest: the worker does not know a variant.
    """
    async with open_channel(address, peers) as channel:
        stub: WorkerServiceAsyncStub = WorkerServiceStub(channel)
        request = worker_pb2.AssignRequest(loadout=loadout, plan_id=plan_id)
        response: worker_pb2.AssignResponse = await answer(stub.Assign, request, timeout)
        return response.generation


async def expect(
    address: str,
    variants: Sequence[str],
    *,
    timeout: float = 10.0,
    peers: Peers | None = None,
) -> None:
    """Tell the worker at `address` what it is likely to hold next; it may read that ahead."""
    async with open_channel(address, peers) as channel:
        stub: WorkerServiceAsyncStub = WorkerServiceStub(channel)
        await answer(stub.Assign, worker_pb2.AssignRequest(prefetch=variants), timeout)


async def assign_and_wait(
    address: str,
    loadout: Sequence[str],
    *,
    timeout: float = 120.0,
    peers: Peers | None = None,
) -> cluster_pb2.WorkerState:
    """Have the worker at `address` hold exactly these variants; returns its state once it does.

    Raises:
        InvalidRequest: the worker does not know a variant.
        Unavailable: it could not load them, is stopping, or was told otherwise meanwhile.
        DeadlineMissed: it was not ready within `timeout` seconds.
    """
    try:
        async with asyncio.timeout(timeout):
            generation = await assign(address, loadout, timeout=timeout, peers=peers)
            async with aclosing(watch(address, peers)) as states:
                async for state in states:
                    if state.generation < generation:
                        continue
                    if _settled(state, generation):
                        return state
    except TimeoutError as error:
        raise DeadlineMissed(f"{address} was not ready within {timeout:g} s") from error
    raise Unavailable(f"{address} stopped telling its state")


async def watch(
    address: str, peers: Peers | None = None
) -> AsyncGenerator[cluster_pb2.WorkerState]:
    """The states of the worker at `address`, as it tells them; ends when it does."""
    async with open_channel(address, peers) as channel:
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
