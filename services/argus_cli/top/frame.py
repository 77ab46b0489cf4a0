"""One look at a cluster, as it is drawn on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import inf

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from argus_cli.top.rates import Rates
from argus_cli.why import plans
from argus_protos.v1 import cluster_pb2, control_pb2, images_pb2
from argus_rpc.convert import seconds

_BAR = 20
"""Characters of a bar of all workers."""


def frame(
    cluster: images_pb2.DescribeClusterResponse,
    rates: Rates,
    records: Sequence[control_pb2.PlanRecord],
    now: datetime,
) -> RenderableType:
    """All of it; `records` are the plans that changed something, oldest first."""
    return Group(
        Text(f"{cluster.name}, {now:%H:%M:%S}", style="bold"),
        Text(_traffic(cluster, rates)),
        _variants(cluster, rates),
        Text(f"Plan in force: {_plan(cluster)}"),
        Text(_last_change(records, now)),
    )


def _traffic(cluster: images_pb2.DescribeClusterResponse, rates: Rates) -> str:
    share = "no request has ended" if rates.in_time is None else f"{rates.in_time:.1%} in time"
    deadline = f"{seconds(cluster.default_deadline):g} s, target {100 * cluster.slo_target:g} %"
    rate = f"{rates.arrivals:.2f} asked, {rates.drawn:.2f} drawn, {rates.refused:.2f} refused"
    over = f"over the last {rates.seconds:.0f} s"
    return f"Images a second: {rate}; {share} (deadline {deadline}), {over}"


def _variants(cluster: images_pb2.DescribeClusterResponse, rates: Rates) -> Table:
    table = Table("variant", "GPUs", "serve", "planned", "waiting", "slack", "price of a second")
    total = max(1, len(cluster.workers))
    slack = _slack(rates.newest)
    for variant in dict.fromkeys(level.variant for level in cluster.levels):
        holding = [w for w in cluster.workers if variant in w.loadout]
        ready = sum(w.phase == cluster_pb2.WORKER_PHASE_READY for w in holding)
        allocations = [a for a in cluster.plan.allocations if variant in a.loadout]
        price = min((a.price for a in allocations), default=inf)
        table.add_row(
            variant,
            "█" * round(_BAR * len(holding) / total),
            f"{ready}/{total}",
            str(sum(a.workers for a in allocations)),
            str(cluster.queued.get(variant, 0)),
            f"{slack[variant]:.1f} s" if variant in slack else "",
            f"{price:.3g}" if price < inf else "",
        )
    if away := [w for w in cluster.workers if w.phase != cluster_pb2.WORKER_PHASE_READY]:
        table.caption = ", ".join(f"{w.worker} {_phase(w)}" for w in away)
    return table


def _slack(report: control_pb2.LoadReport | None) -> dict[str, float]:
    """By variant that something waits for: seconds to spare of the tightest."""
    if report is None:
        return {}
    return {q.variant: seconds(q.least_slack) for q in report.queues if q.queued}


def _phase(worker: cluster_pb2.WorkerState) -> str:
    name = cluster_pb2.WorkerPhase.Name(worker.phase).removeprefix("WORKER_PHASE_").lower()
    return f"{name} {'+'.join(worker.assigned)}".rstrip()


def _plan(cluster: images_pb2.DescribeClusterResponse) -> str:
    return f"{cluster.plan.id}, {cluster.plan.reason}" if cluster.HasField("plan") else "none"


def _last_change(records: Sequence[control_pb2.PlanRecord], now: datetime) -> str:
    if not records:
        return "Nothing has changed yet."
    return f"Last change: {plans.headline(records[-1], now.tzinfo)}"
