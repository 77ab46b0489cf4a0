"""`argus assign`: switch a worker by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from argus_core.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from argus_cli.local.runtime import Running
    from argus_protos.v1.cluster_pb2 import WorkerState

console = Console()


def assign(
    worker: Annotated[str, typer.Argument(help="Its name, as argus status shows it.")],
    variants: Annotated[list[str], typer.Argument(help="What it shall hold.")],
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for it.")] = 120.0,
) -> None:
    """Have a worker of the cluster on this machine hold other variants."""
    from argus_cli.local import runtime  # noqa: PLC0415 - slow to import

    running = runtime.find()
    if running is None:
        raise Unavailable("no cluster runs on this machine; start one: argus up", retry_after=None)
    if worker not in running.workers:
        raise NotFound(f"no worker {worker!r}; there are {', '.join(running.workers)}")
    with console.status(f"{worker} finishes its work, then loads {', '.join(variants)}"):
        state = asyncio.run(_assign(running, worker, variants, timeout))
    took = state.last_switch
    console.print(
        f"{worker} holds {', '.join(state.loadout)}: drained in {took.drain.ToTimedelta()}, "
        f"loaded in {took.load.ToTimedelta()}, {took.disk_bytes} bytes read from disk"
    )


async def _assign(
    running: Running, worker: str, variants: list[str], timeout: float
) -> WorkerState:
    from argus_client.workers import assign_and_wait  # noqa: PLC0415 - brings grpc, slow to import
    from argus_rpc.peers import Peers  # noqa: PLC0415

    folder, address = running.internal_tls, running.workers[worker]
    peers = Peers(Path(folder), running.internal_name) if folder else None
    return await assign_and_wait(address, variants, timeout=timeout, peers=peers)
