"""Ways to break a local cluster for a while, each mended with the end of its block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from argus_cli.local import targets
from argus_cli.local.cluster import LocalCluster
from argus_client import AsyncClient, Order
from argus_client.retry import Retry
from argus_protos.v1.cluster_pb2 import WORKER_PHASE_DRAINING, WorkerState
from argus_rpc.meanwhile import under_way
from support.alarms import hung, pid
from support.process import process
from support.redis import RedisServer

Block = Callable[[], AbstractAsyncContextManager[Any]]
NAME = "alarms"
"""Of the cluster, in documents and labels."""
_NOBODY = "127.0.0.1:1"
"""Where nothing listens."""
_BEGUN = 30.0
"""Seconds until an image must be begun, or a worker do as it shall."""
_LOOK = 0.05
"""Seconds between two looks at workers."""


def hangs(cluster: LocalCluster, *names: str) -> Block:
    """Processes that do nothing meanwhile."""

    @asynccontextmanager
    async def block() -> AsyncIterator[None]:
        with hung(*(pid(cluster, name) for name in names)):
            yield

    return block


@asynccontextmanager
async def gone(store: RedisServer) -> AsyncIterator[None]:
    """No latent store meanwhile, and an empty one thereafter."""
    store.stop()
    try:
        yield
    finally:
        await store.start()


@asynccontextmanager
async def moved(cluster: LocalCluster) -> AsyncIterator[None]:
    """All workers hold one variant, then the other, and so on."""
    async with under_way(_turn(cluster)):
        try:
            yield
        finally:
            _pin(cluster, {})


async def _turn(cluster: LocalCluster) -> None:
    while True:
        for variant in ("first", "second"):
            _pin(cluster, dict.fromkeys(cluster.workers, (variant,)))
            await asyncio.sleep(1.5)


def _pin(cluster: LocalCluster, pins: dict[str, tuple[str, ...]]) -> None:
    """Have workers hold these, by name; all others what is planned."""
    cluster.control.pins = pins
    cluster.control.wake()


@asynccontextmanager
async def stalled(cluster: LocalCluster, order: Order, variant: str) -> AsyncIterator[None]:
    """A worker hangs that shall hold a variant, and had first to end what it drew."""
    client = AsyncClient(cluster.router["grpc"], retry=Retry(attempts=1))
    async with client, under_way(client.draw(order)):
        try:
            await _worker(client, lambda worker: worker.in_flight > 0)
            _pin(cluster, dict.fromkeys(cluster.workers, (variant,)))
            name = await _worker(client, lambda worker: worker.phase == WORKER_PHASE_DRAINING)
            with hung(pid(cluster, name)):
                yield
        finally:
            _pin(cluster, {})


async def _worker(client: AsyncClient, wanted: Callable[[WorkerState], bool]) -> str:
    """Wait until there is such a worker; its name."""
    async with asyncio.timeout(_BEGUN):
        while True:
            for worker in (await client.describe()).workers:
                if wanted(worker):
                    return worker.worker
            await asyncio.sleep(_LOOK)


@asynccontextmanager
async def misled(cluster: LocalCluster) -> AsyncIterator[None]:
    """The control loop looks for the router where there is none."""
    cluster.control.router_is_up(_NOBODY)
    try:
        yield
    finally:
        cluster.control.router_is_up(cluster.router["grpc"])


@asynccontextmanager
async def beside(cluster: LocalCluster, document: Path, file: Path) -> AsyncIterator[None]:
    """A router of the document beside the cluster's own, of which the control loop does not know.

    `file` tells Prometheus where it is.
    """
    where = ("--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0")
    async with process("argus_router", "--cluster", document, *where, *cluster.beside) as (
        _,
        told,
    ):
        targets.write(file, NAME, {"router-beside": told["http"].rpartition("/")[2]})
        try:
            yield
        finally:
            targets.write(file, NAME, {})
