"""`argus top`: a cluster as it is now, drawn anew every other second."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from argus_cli.local.reach import ControlKey, Endpoint, router_at

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from rich.console import RenderableType

console = Console()


def top(
    once: Annotated[bool, typer.Option("--once", help="One look, and end.")] = False,
    interval: Annotated[
        float, typer.Option(min=0.2, max=60.0, help="Seconds between looks.")
    ] = 2.0,
    endpoint: Endpoint = None,
    control_key: ControlKey = "",
) -> None:
    """Show GPUs by variant, rates, queues, prices, and why the plan is as it is; Ctrl-C ends it."""
    address = router_at(endpoint)
    try:
        asyncio.run(_top(address, control_key, interval=interval, once=once))
    except KeyboardInterrupt:
        return


async def _top(address: str, key: str, *, interval: float, once: bool) -> None:
    async with aclosing(_frames(address, key, interval)) as frames:
        if once:
            await anext(frames)  # Its window has only begun.
            console.print(await anext(frames))
            return
        with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
            async for frame in frames:
                live.update(frame, refresh=True)


async def _frames(address: str, key: str, interval: float) -> AsyncGenerator[RenderableType]:
    from argus_cli.top.frame import frame  # noqa: PLC0415 - brings protobuf
    from argus_cli.top.rates import Rates  # noqa: PLC0415
    from argus_client import AsyncClient  # noqa: PLC0415 - brings grpc, slow to import

    rates = Rates()
    async with (
        AsyncClient(address, api_key=key) as client,
        aclosing(client.watch_load(interval=interval, observing=True)) as reports,
    ):
        async for report in reports:
            rates.hear(report)
            records = await client.plans(newest=1, changes_only=True)
            cluster = await client.describe()
            yield frame(cluster, rates, records, datetime.now().astimezone())
