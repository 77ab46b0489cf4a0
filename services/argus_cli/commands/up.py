"""`argus up`: a whole cluster on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from argus_control.mode import Mode
from argus_core.errors import InvalidRequest

if TYPE_CHECKING:
    from argus_cli.local.cluster import LocalCluster

STYLES = {"up": "green", "starting": "yellow", "waiting": "yellow", "gave up": "red"}
CLOSING = ("router.tls", "router.apiKeys")
"""Fields by which a router is closed; here it takes files for it."""
REFRESH = 0.5
"""Seconds between looks at the states."""

console = Console()


def up(
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="ArgusCluster document; the small studio without one."),
    ] = None,
    plan: Annotated[
        Mode | None,
        typer.Option(
            help="Have the workers follow the plan, only show it, or keep what they hold; "
            "in place of the document's planning.mode."
        ),
    ] = None,
    secrets: Annotated[
        Path | None,
        typer.Option(
            help="Folder that has a folder for each Secret that the document names, its entries "
            "as files; else `secrets` beside the document."
        ),
    ] = None,
    page: Annotated[
        bool, typer.Option("--console/--no-console", help="Serve a page that shows the cluster.")
    ] = True,
) -> None:
    """Run router, predictor, workers and console on this machine until Ctrl-C."""
    from argus_cli.document import load_document, with_profile  # noqa: PLC0415 - slow to import
    from argus_cli.local.cluster import LocalCluster  # noqa: PLC0415
    from argus_cli.local.guarded import guarded  # noqa: PLC0415
    from argus_control.planning import planning_of  # noqa: PLC0415
    from argus_core.spec import only_in_kubernetes  # noqa: PLC0415

    text, document = load_document(file)
    base = file.parent if file else None
    text, document = with_profile(text, document, base or Path())
    planning = planning_of(document.spec)
    if plan is not None:
        planning = replace(planning, mode=plan)
    if secrets is not None and not secrets.is_dir():
        raise InvalidRequest.one("--secrets", f"there is no folder {secrets}")
    secrets = secrets or (base or Path()) / "secrets"
    heeded = guarded(document, secrets, Path()).fields
    passed = [field for field in only_in_kubernetes(document.spec) if field not in heeded]
    if closing := [field for field in passed if field in CLOSING]:
        asked = (
            f"{' and '.join(closing)} asked for, and no folder in {secrets} for the Secret named"
        )
        console.print(f"[yellow]The router is open[/]: {asked}", soft_wrap=True)
    if passed := [field for field in passed if field not in CLOSING]:
        console.print(f"[dim]Only Kubernetes heeds {', '.join(passed)}[/]")
    cluster = LocalCluster(
        text,
        document,
        planning=planning,
        publish=True,
        console=page,
        base=base,
        secrets=secrets,
    )
    asyncio.run(_up(cluster))


async def _up(cluster: LocalCluster) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set() and hasattr(cluster, "supervisor"):
            cluster.supervisor.kill()
        stop.set()

    # The first signal drains, the second ends all at once; a closed terminal is a signal too.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)
    with Live(console=console, refresh_per_second=4, transient=False) as live:
        showing = asyncio.create_task(_show(cluster, live))
        serving = asyncio.create_task(_serve(cluster, stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done() and not cluster.router:
                serving.cancel()  # stopped while it was starting
            await asyncio.gather(serving, return_exceptions=True)
        finally:
            stopping.cancel()
            showing.cancel()
            live.update(_table(cluster) if hasattr(cluster, "supervisor") else "")
    if not serving.cancelled():
        serving.result()


async def _serve(cluster: LocalCluster, stop: asyncio.Event) -> None:
    async with cluster:
        console.print(f"Ready: [bold]{cluster.router['http']}[/] (HTTP), {cluster.router['grpc']}")
        if cluster.console:
            console.print(f"Console: [bold]{cluster.console}[/]")
        console.print(f"Metrics for Prometheus (file_sd_configs): {cluster.targets}")
        drawn = f'argus draw "a large red circle"{cluster.guarded.hint}'
        console.print(f"Try: {drawn}, argus status; Ctrl-C stops all", soft_wrap=True)
        failing = asyncio.create_task(cluster.failed())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({failing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if failing.done():
            failing.result()
        failing.cancel()


async def _show(cluster: LocalCluster, live: Live) -> None:
    while True:
        live.update(_table(cluster))
        await asyncio.sleep(REFRESH)


def _table(cluster: LocalCluster) -> Table:
    plan = f"Plan: {cluster.control.plan.reason}" if hasattr(cluster, "control") else None
    table = Table("process", "state", "pid", "holds", "listens on", "restarts", "last died")
    table.caption, table.caption_justify = plan, "left"
    views = cluster.supervisor.views if hasattr(cluster, "supervisor") else {}
    for view in views.values():
        holds = cluster.workers.get(view.name, ())
        table.add_row(
            view.name,
            f"[{STYLES.get(view.state, 'dim')}]{view.state}[/]",
            str(view.pid or ""),
            ", ".join(holds),
            " ".join(view.said.values()),
            str(view.restarts),
            view.reason,
        )
    return table
