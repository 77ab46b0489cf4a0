"""Whether promises are kept, how fast their budgets are spent, and what it takes."""

from __future__ import annotations

from argus_dashboards.draw import Board, Figure, Graph, Query
from argus_dashboards.queries import quantile, rate, total

_IMAGES = "argus_slo_images_total"


def _promised(objective: str) -> str:
    return f'min(argus_slo_target_ratio{{$where, objective="{objective}"}})'


def _kept(objective: str) -> str:
    of = f'{{$where, objective="{objective}"}}[$__range]'
    good = f'{{$where, objective="{objective}", verdict="good"}}[$__range]'
    return f"sum(increase({_IMAGES}{good})) / (sum(increase({_IMAGES}{of})) > 0)"


def _burn(window: str) -> str:
    bad = f'sum by (objective) (rate({_IMAGES}{{$where, verdict="bad"}}[{window}]))'
    every = f"sum by (objective) (rate({_IMAGES}{{$where}}[{window}]))"
    target = "min by (objective) (argus_slo_target_ratio{$where})"
    return f"{bad} / ({every} > 0) / (1 - {target})"


BOARD = Board(
    name="overview",
    title="Overview",
    description="Whether the promises of the ArgusClusters are kept, and what that takes.",
    plans=True,
    rows=(
        (
            "Promises, over the time shown",
            tuple(
                Figure(
                    title=title,
                    description=f"{what} Beside it, what the document promises.",
                    unit="percentunit",
                    queries=(
                        Query(expr=_kept(objective), legend="is"),
                        Query(expr=_promised(objective), legend="promised"),
                    ),
                )
                for objective, title, what in (
                    ("latency", "In time", "Images there in time, of all that were not broken."),
                    ("availability", "Not broken", "Images that no fault of Argus has failed."),
                    ("quality", "Good", "Of images drawn, those that are predicted to be good."),
                )
            ),
        ),
        (
            "Budgets",
            (
                *(
                    Graph(
                        title=f"Burn, over {spoken}",
                        description="How many times faster than allowed each objective's error "
                        f"budget is spent. {worry}",
                        unit="short",
                        queries=(Query(expr=_burn(window), legend="{{objective}}"),),
                    )
                    for window, spoken, worry in (
                        ("5m", "five minutes", "1 spends it in just 30 days."),
                        ("1h", "an hour", "At 14.4 somebody is paged; a low target lowers that."),
                    )
                ),
                Graph(
                    title="Budget left, of the time shown",
                    description="100% where nothing was spent of what the target allows; below 0 "
                    "the promise is broken for the time shown. -100% stands for all that is worse.",
                    unit="percentunit",
                    below_zero=True,
                    most=1,
                    queries=(
                        Query(
                            expr=f"clamp_min(1 - ({_burn('$__range')}), -1)",
                            legend="{{objective}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Traffic",
            (
                Graph(
                    title="Images by how they ended",
                    description="ok is drawn in time; late and refused spend the latency budget, "
                    "failed the one of availability.",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=rate("argus_router_requests_total", "outcome"),
                            legend="{{outcome}}",
                        ),
                    ),
                ),
                Graph(
                    title="Time to the image",
                    description="From arrival, of images drawn. Dots are traces of single "
                    "requests, where tracing is on.",
                    unit="s",
                    queries=tuple(
                        Query(
                            expr=quantile("argus_router_request_duration_seconds", of),
                            legend=f"p{100 * of:g}",
                            exemplars=of == 0.95,
                        )
                        for of in (0.5, 0.95, 0.99)
                    ),
                ),
            ),
        ),
        (
            "What serves it",
            (
                Graph(
                    title="GPUs by variant",
                    description="Workers that serve each variant; one that holds several counts "
                    "for each. Marks are plans that have them hold something else.",
                    unit="short",
                    stacked=True,
                    queries=(
                        Query(
                            expr="max by (cluster, variant) (argus_router_variant_workers{$where})",
                            legend="{{variant}}",
                        ),
                    ),
                ),
                Graph(
                    title="Waiting",
                    description="Images in the routers' queues; none is not decided yet.",
                    unit="short",
                    stacked=True,
                    queries=(
                        Query(
                            expr=total("argus_router_queue_size", "variant"),
                            legend="{{variant}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
