"""`argus top`: a cluster as it is now, drawn anew every other second."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from argus_cli.local.reach import (
    ApiKey,
    Ca,
    Certificate,
    ControlKey,
    Endpoint,
    Key,
    ServerName,
    router_at,
    tls_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from rich.console import RenderableType

    from argus_client import AsyncClient

console = Console()


def top(
    once: Annotated[bool, typer.Option("--once", help="One look, and end.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.2, max=60.0, help="Seconds between looks.")
    ] = 2.0,
    endpoint: Endpoint = None,
    api_key: ApiKey = "",
    control_key: ControlKey = "",
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    server_name: ServerName = "",
) -> None:
    """Show GPUs by variant, rates, queues, prices, and why the plan is as it is; Ctrl-C ends it."""
    from argus_client import AsyncClient  # noqa: PLC0415 - brings grpc, slow to import

    address, tls = router_at(endpoint), tls_of(ca, certificate, key, server_name)

    def client(api_key: str) -> AsyncClient:
        return AsyncClient(address, api_key=api_key, tls=tls)

    # What the cluster is, any tenant may ask; of load and plans the control service alone tells.
    opened = partial(_frames, lambda: client(api_key), lambda: client(control_key), interval)
    try:
        asyncio.run(_top(opened, once=once))
    except KeyboardInterrupt:
        return


async def _top(opened: Callable[[], AsyncGenerator[RenderableType]], *, once: bool) -> None:
    async with aclosing(opened()) as frames:
        if once:
            await anext(frames)  # Its window has only begun.
            console.print(await anext(frames))
            return
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            async for frame in frames:
                live.update(frame, refresh=True)


async def _frames(
    asking: Callable[[], AsyncClient], controlling: Callable[[], AsyncClient], interval: float
) -> AsyncGenerator[RenderableType]:
    from argus_cli.top.frame import frame  # noqa: PLC0415 - brings protobuf
    from argus_cli.top.rates import Rates  # noqa: PLC0415

    rates = Rates()
    async with (
        asking() as tenant,
        controlling() as control,
        aclosing(control.watch_load(interval=interval, observing=True)) as reports,
    ):
        async for report in reports:
            rates.hear(report)
            records = await control.plans(newest=1, changes_only=True)
            cluster = await tenant.describe()
            yield frame(cluster, rates, records, datetime.now().astimezone())
