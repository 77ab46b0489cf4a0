"""A router to talk to: the one that runs on this machine, or one started for the time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console

from argus_cli.document import load_document
from argus_cli.local import runtime
from argus_cli.local.cluster import LocalCluster


@asynccontextmanager
async def find_or_start(console: Console) -> AsyncIterator[str]:
    """The address (host:port) of the running cluster's router, or of one started for the time."""
    running = runtime.find()
    if running is not None:
        yield running.grpc
        return
    async with start(console) as address:
        yield address


@asynccontextmanager
async def start(console: Console) -> AsyncIterator[str]:
    """Start the studio that comes with Argus, for the time; yields its router's address.

    Its workers keep what they hold: it ends before a plan could be of use, and what is drawn
    meanwhile shall not wait for workers that switch.
    """
    text, document = load_document(None)
    cluster = LocalCluster(text, document)
    with console.status("Starting a cluster on this machine (argus up keeps one)"):
        await cluster.__aenter__()
    try:
        yield cluster.router["grpc"]
    finally:
        with console.status("Stopping it"):
            await cluster.__aexit__()
