"""Ways to break a local cluster for a while, each mended with the end of its block."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from argus_cli.local import targets
from argus_cli.local.cluster import LocalCluster
from support.alarms import hung, pid
from support.process import process
from support.redis import RedisServer

Block = Callable[[], AbstractAsyncContextManager[Any]]
NAME = "alarms"
"""Of the cluster, in documents and labels."""
_INDEX = "model_index.json"
_NOBODY = "127.0.0.1:1"
"""Where nothing listens."""
_RELEASE = 10.0
"""Seconds in which whoever waits for a model is served once more."""


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
    turning = asyncio.create_task(_turn(cluster))
    try:
        yield
    finally:
        turning.cancel()
        cluster.control.pins = {}
        cluster.control.wake()


async def _turn(cluster: LocalCluster) -> None:
    while True:
        for variant in ("first", "second"):
            cluster.control.pins = dict.fromkeys(cluster.workers, (variant,))
            cluster.control.wake()
            await asyncio.sleep(1.5)


@asynccontextmanager
async def stalled(
    cluster: LocalCluster, worker: str, variant: str, model: Path
) -> AsyncIterator[None]:
    """A worker shall hold a variant whose model does not come from the disk: opening it blocks."""
    index, pipe = model / _INDEX, model / "pipe"
    content = index.read_bytes()
    os.mkfifo(pipe)
    index.unlink()
    os.link(pipe, index)
    cluster.control.pins = {worker: (variant,)}
    cluster.control.wake()
    try:
        yield
    finally:
        index.unlink()
        index.write_bytes(content)
        await _served(pipe, content)
        pipe.unlink()
        cluster.control.pins = {}
        cluster.control.wake()


async def _served(pipe: Path, content: bytes) -> None:
    """Give everybody who waits at a pipe what they wait for."""
    async with asyncio.timeout(_RELEASE):
        while True:
            try:
                end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
            except OSError as error:
                if error.errno == errno.ENXIO:  # Nobody waits any more.
                    return
                raise
            os.write(end, content)
            os.close(end)
            await asyncio.sleep(0.1)


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
