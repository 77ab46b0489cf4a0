"""`argus load`: put a cluster under load, and tell what became of every request."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from argus_cli import options
from argus_cli.local.reach import (
    ApiKey,
    Ca,
    Certificate,
    Endpoint,
    Key,
    ServerName,
    tls_of,
)
from argus_core.errors import InvalidRequest

if TYPE_CHECKING:
    from argus_cli.load.sending import Load, Sending
    from argus_client.order import Priority

console = Console()
_MOST = 1_000_000
"""Requests of a load."""


def load(
    trace: Annotated[
        str | None, typer.Option(help="CSV of arrivals or rates, or a look-alike's name.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Requests a second; without a trace, at random moments.")
    ] = None,
    duration: Annotated[str | None, typer.Option(help="Such as 5m; all of the trace.")] = None,
    speed: Annotated[float, typer.Option(help="Times as fast as recorded.")] = 1.0,
    prompts: Annotated[
        Path | None, typer.Option(help="A prompt a line; else captions of the small family.")
    ] = None,
    endpoint: Endpoint = None,
    clients: Annotated[int, typer.Option(min=1, max=256, help="Connections.")] = 2,
    tenant: Annotated[
        list[str] | None, typer.Option(help="Who asks; NAME=SHARE, may be given again.")
    ] = None,
    api_key: ApiKey = "",
    deadline: Annotated[str, typer.Option(help="Of each request.")] = "30s",
    level: Annotated[str, typer.Option(help="Ask for this level and no other.")] = "",
    minimum_quality: Annotated[float | None, typer.Option(help="0 to 1.")] = None,
    priority: Annotated[str, typer.Option(help="low, normal or high.")] = "normal",
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    server_name: ServerName = "",
    attempts: Annotated[
        int, typer.Option(min=1, max=20, help="Tries of a request; one is an open loop.")
    ] = 1,
    most: Annotated[int, typer.Option(min=1, help="Requests under way at most.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of what is left to chance.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("out/load"),
) -> None:
    """Send requests on schedule, whether or not earlier ones were answered, and report.

    Ctrl-C ends it, and reports what was done.
    """
    from argus_cli.load import sendings  # noqa: PLC0415 - slow to import
    from argus_cli.load.sending import Line, Load  # noqa: PLC0415
    from argus_client import Order  # noqa: PLC0415

    planned = sendings.planned(
        trace=trace,
        rate=rate,
        duration=None if duration is None else options.duration("--duration", duration),
        speed=options.above_zero("--speed", speed),
        prompts=prompts,
        tenants=sendings.shares("--tenant", tenant or []),
        like=Order(
            prompt="",
            deadline=options.duration("--deadline", deadline),
            level=level,
            minimum_quality=minimum_quality,
            priority=cast("Priority", priority),
            progress=False,
        ),
        seed=seed,
    )
    if len(planned) > _MOST:
        raise InvalidRequest.one("--duration", f"{len(planned)} requests are more than {_MOST}")

    tls = tls_of(ca, certificate, key, server_name)

    def made(address: str) -> Load:
        line = Line(endpoint=address, clients=clients, api_key=api_key, tls=tls, attempts=attempts)
        return Load(line, planned, most=most)

    asyncio.run(_run(made, endpoint, planned, out))


def check(
    log: Annotated[list[Path], typer.Argument(help="requests.jsonl of argus load.")],
    expected: Annotated[
        int | None, typer.Option(help="Requests that there were; else as many as the log tells.")
    ] = None,
    grace: Annotated[str, typer.Option(help="Beyond its deadline that an answer may take.")] = "2s",
) -> None:
    """Check that every request of a load got exactly one answer, in time, with a canonical code."""
    from argus_cli.load import checking, record  # noqa: PLC0415 - slow to import

    seconds, wrong = options.duration("--grace", grace), 0
    for path in log:
        records = record.read(path)
        found = checking.problems(records, expected=expected or len(records), grace=seconds)
        wrong += len(found)
        for problem in found[:20]:
            console.print(f"{path}: {problem}", style="red", highlight=False)
        console.print(f"{path}: {len(records)} requests, {len(found)} problems", highlight=False)
    if wrong:
        raise typer.Exit(1)


async def _run(
    made: Callable[[str], Load], endpoint: str | None, planned: list[Sending], out: Path
) -> None:
    from argus_cli.local.endpoint import find_or_start  # noqa: PLC0415 - brings grpc

    async with AsyncExitStack() as stack:
        address = endpoint or ""
        if not address:
            address = await stack.enter_async_context(find_or_start(console))
        under = made(address)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task("requests", total=len(planned))

            def tell() -> None:
                bar.update(task, advance=1, description=f"{under.under_way} under way")

            running = asyncio.ensure_future(under.run(tell))
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, running.cancel)
            began = time.monotonic()
            try:
                await running
            except asyncio.CancelledError:
                console.print("Broken off; here is what was done.", style="yellow")
            finally:
                loop.remove_signal_handler(signal.SIGINT)
    _report(under, time.monotonic() - began, address, out)


def _report(under: Load, seconds: float, address: str, out: Path) -> None:
    from argus_cli.load import figures, record, report  # noqa: PLC0415 - slow to import

    records = sorted(under.records, key=lambda r: r.number)
    whole = figures.figures(records, duration=seconds)
    tenants = figures.by_tenant(records, duration=seconds)
    console.print(report.table(whole, tenants))
    if whole.delivered:
        console.print(report.levels(whole))
    for sentence in report.sentences(whole):
        console.print(sentence, highlight=False)
    out.mkdir(parents=True, exist_ok=True)
    record.write(records, out / "requests.jsonl")
    asked = {"endpoint": address, "seconds": seconds}
    report.write(out / "report.json", report.document(asked, whole, tenants))
    report.draw(records, out / "report.png")
    names = ", ".join(str(out / name) for name in ("report.json", "report.png", "requests.jsonl"))
    console.print(f"Wrote {names}.", highlight=False)
