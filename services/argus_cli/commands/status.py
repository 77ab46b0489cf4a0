"""`argus status`: levels, workers and what each holds, and the plan in force."""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from argus_cli.local.reach import (
    ApiKey,
    Ca,
    Certificate,
    Endpoint,
    Key,
    ServerName,
    router_at,
    tls_of,
)

if TYPE_CHECKING:
    from argus_client import Tls
    from argus_protos.v1.cluster_pb2 import Plan, WorkerState
    from argus_protos.v1.images_pb2 import DescribeClusterResponse

console = Console()


def status(
    endpoint: Endpoint = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    api_key: ApiKey = "",
    ca: Ca = None,
    certificate: Certificate = None,
    key: Key = None,
    server_name: ServerName = "",
) -> None:
    """Show levels with their seconds, workers with what they hold, and the plan in force."""
    from google.protobuf.json_format import MessageToJson  # noqa: PLC0415 - slow to import

    from argus_cli.local import runtime  # noqa: PLC0415

    address = router_at(endpoint)
    running = None if endpoint else runtime.find()
    tls = tls_of(ca, certificate, key, server_name)
    cluster = asyncio.run(_describe(address, api_key, tls))
    if as_json:
        typer.echo(MessageToJson(cluster, always_print_fields_with_no_presence=True))
        return
    http = f", {running.http}" if running else ""
    console.print(f"[bold]{cluster.name}[/] at {address}{http}", highlight=False)
    console.print(_levels(cluster))
    console.print(_workers(cluster))
    if cluster.HasField("plan"):
        console.print(_plan(cluster.plan))


async def _describe(address: str, api_key: str, tls: Tls | None) -> DescribeClusterResponse:
    from argus_client import AsyncClient  # noqa: PLC0415 - brings grpc, slow to import

    async with AsyncClient(address, api_key=api_key, tls=tls) as client:
        return await client.describe()


def _levels(cluster: DescribeClusterResponse) -> Table:
    from argus_rpc.convert import seconds  # noqa: PLC0415 - brings protobuf

    table = Table(
        "level", "variant", "steps", "quality", "s/image", "measured", "waiting", title="Ladder"
    )
    for level in cluster.levels:
        table.add_row(
            level.name,
            level.variant,
            str(level.schedule.steps),
            f"{level.prior_quality:.2f}",
            f"{seconds(level.seconds_per_image):.3f}",
            _measured(cluster, level.name),
            str(cluster.queued.get(level.variant, 0)),
        )
    return table


def _measured(cluster: DescribeClusterResponse, level: str) -> str:
    """Seconds of an image by what was drawn lately; by GPU type where there are several."""
    from argus_rpc.convert import seconds  # noqa: PLC0415 - brings protobuf

    mine = [one for one in cluster.seconds if one.level == level and one.HasField("measured")]
    several = len({one.gpu_type for one in cluster.seconds}) > 1
    return ", ".join(
        f"{one.gpu_type} {seconds(one.measured):.3f}" if several else f"{seconds(one.measured):.3f}"
        for one in mine
    )


def _workers(cluster: DescribeClusterResponse) -> Table:
    from argus_protos.v1.cluster_pb2 import WorkerPhase  # noqa: PLC0415 - brings protobuf

    columns = ("worker", "pool", "phase", "holds", "tuned", "busy", "memory", "device")
    table = Table(*columns, title="Workers")
    for worker in cluster.workers:
        phase = WorkerPhase.Name(worker.phase).removeprefix("WORKER_PHASE_").lower()
        table.add_row(
            worker.worker,
            worker.pool,
            f"{phase}: {worker.reason}" if worker.reason else phase,
            ", ".join(worker.loadout),
            tuned(worker),
            f"{worker.in_flight}/{worker.slots}",
            f"{worker.memory.host_bytes / 2**20:.0f} MiB",
            worker.health.device,
        )
    return table


def tuned(worker: WorkerState) -> str:
    """How the forwards of what a worker holds are run, where not simply as they are."""
    told = {}
    for variant in worker.loadout:
        if (tuning := worker.tunings.get(variant)) is None:
            continue
        blocks = f"{tuning.compiled_blocks} blocks compiled" if tuning.compiled_blocks else ""
        kernels = f"{tuning.attention} attention" if tuning.attention not in ("", "torch") else ""
        if said := ", ".join(filter(None, (blocks, kernels, tuning.quantization, tuning.reason))):
            told[variant] = said
    if len(worker.loadout) == 1:
        return "".join(told.values())
    return "; ".join(f"{variant}: {said}" for variant, said in told.items())


def _plan(plan: Plan) -> Table:
    made = plan.made_at.ToDatetime(tzinfo=UTC).astimezone()
    said = f"{plan.reason} ({plan.solver}, made at {made:%H:%M:%S})"
    if plan.forecast_rate:
        said += (
            f"\nMade for {plan.forecast_rate:.2f} images a second: mean quality "
            f"{plan.expected_quality:.3f} expected, {plan.expected_shed:.1%} refused."
        )
    table = Table("pool", "loadout", "workers", "price of a second", title=f"Plan {plan.id}")
    table.caption, table.caption_justify = said, "left"
    for a in plan.allocations:
        table.add_row(a.pool, ", ".join(a.loadout), str(a.workers), f"{a.price:.3f}")
    return table
