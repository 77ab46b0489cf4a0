"""GPUs by variant over time, and the plans that moved them."""

from __future__ import annotations

from argus_dashboards.draw import Board, Graph, Query
from argus_dashboards.queries import most, rate, total

BOARD = Board(
    name="gpus",
    title="GPUs and plans",
    description="Who holds what over time, and why it moves; argus why tells each change's reason.",
    plans=True,
    rows=(
        (
            "GPUs",
            (
                Graph(
                    title="GPUs by variant",
                    description="Workers that serve each variant; one that holds several counts "
                    "for each. Marks are plans that have them hold something else.",
                    unit="short",
                    stacked=True,
                    queries=(
                        Query(
                            expr=most("argus_router_variant_workers", "cluster, variant"),
                            legend="{{cluster}} {{variant}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Workers",
            (
                Graph(
                    title="Workers by phase",
                    description="As they say of themselves; lost is one that is not heard. All "
                    "but ready serve nothing.",
                    unit="short",
                    stacked=True,
                    queries=(
                        Query(expr=total("argus_control_workers", "phase"), legend="{{phase}}"),
                    ),
                ),
                Graph(
                    title="Switches",
                    description="Workers told to hold something else, a second. Much of this "
                    "under a steady load is thrashing.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_control_assignments_total", "cluster"),
                            legend="{{cluster}}",
                        ),
                    ),
                ),
                Graph(
                    title="Longest switch under way",
                    description="How long the worker that has been switching longest has; 0 "
                    "where none does.",
                    unit="s",
                    queries=(
                        Query(
                            expr="max by (cluster) ((time() - "
                            "argus_control_switching_since_timestamp_seconds{$where}) * "
                            "(argus_control_switching_since_timestamp_seconds{$where} > bool 0))",
                            legend="{{cluster}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Plans",
            (
                Graph(
                    title="Price of a second",
                    description="What a second of worker time is worth by the plan, in quality. "
                    "GPUs move to where it is higher.",
                    unit="none",
                    queries=(
                        Query(
                            expr=most("argus_router_price", "variant"),
                            legend="{{variant}}",
                        ),
                    ),
                ),
                Graph(
                    title="Changes of plans",
                    description="Plans that have workers hold something else, in ten minutes.",
                    unit="short",
                    queries=(
                        Query(
                            expr="max by (cluster) "
                            "(increase(argus_router_plan_changes_total{$where}[10m]))",
                            legend="{{cluster}}",
                        ),
                    ),
                ),
                Graph(
                    title="Age of the plan, and of the load it rests on",
                    description="A plan may be old while the load stays; the load's last report "
                    "must not be: after a minute the plan is held.",
                    unit="s",
                    queries=(
                        Query(
                            expr="time() - "
                            + most("argus_control_plan_timestamp_seconds", "cluster"),
                            legend="{{cluster}} plan",
                        ),
                        Query(
                            expr="time() - "
                            + most("argus_control_report_timestamp_seconds", "cluster"),
                            legend="{{cluster}} load",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
