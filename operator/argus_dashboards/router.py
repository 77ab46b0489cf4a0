"""What routers do: admission, queues, dispatch."""

from __future__ import annotations

from argus_dashboards.draw import Board, Graph, Query
from argus_dashboards.queries import mean, most, quantile, rate, total

_TIME = "argus_router_request_duration_seconds"

BOARD = Board(
    name="router",
    title="Router",
    description="Requests from arrival to the image, and what the routers know of others.",
    plans=True,
    rows=(
        (
            "Requests",
            (
                Graph(
                    title="Images by how they ended",
                    description="Of all variants; refused came when no level could be in time.",
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
                    title="Images by level",
                    description="Drawn in time, a second.",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=rate("argus_router_requests_total", "level", 'outcome="ok"'),
                            legend="{{level}}",
                        ),
                    ),
                ),
                Graph(
                    title="Images by tenant",
                    description="Of tenants that a document names; all others are other.",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=rate("argus_router_tenant_images_total", "tenant"),
                            legend="{{tenant}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Time",
            (
                Graph(
                    title="Time to the image, by level",
                    description="95th percentile from arrival. Dots are traces of single "
                    "requests, where tracing is on.",
                    unit="s",
                    queries=(
                        Query(
                            expr=quantile(_TIME, 0.95, "level"),
                            legend="{{level}}",
                            exemplars=True,
                        ),
                    ),
                ),
                Graph(
                    title="Waiting for a worker",
                    description="Mean time from arrival until handed to a worker, prediction "
                    "included, by variant.",
                    unit="s",
                    queries=(
                        Query(
                            expr=mean("argus_router_queue_duration_seconds", "variant"),
                            legend="{{variant}}",
                        ),
                    ),
                ),
                Graph(
                    title="The router's own time",
                    description="What is neither prediction, waiting nor drawing. Tens of "
                    "milliseconds mean that routers have too little CPU.",
                    unit="s",
                    queries=tuple(
                        Query(
                            expr=quantile("argus_router_overhead_seconds", of),
                            legend=f"p{100 * of:g}",
                        )
                        for of in (0.5, 0.95)
                    ),
                ),
            ),
        ),
        (
            "Queues and workers",
            (
                Graph(
                    title="Waiting",
                    description="Images in the queues; none is not decided yet.",
                    unit="short",
                    stacked=True,
                    queries=(
                        Query(
                            expr=total("argus_router_queue_size", "variant"),
                            legend="{{variant}}",
                        ),
                    ),
                ),
                Graph(
                    title="Workers on the roster",
                    description="As the router that sees most of them does; ejected ones are "
                    "doubted after losses.",
                    unit="short",
                    queries=(
                        Query(expr=most("argus_router_workers", "state"), legend="{{state}}"),
                    ),
                ),
                Graph(
                    title="Parts that it can do without",
                    description="1 while all routers find the part there.",
                    unit="short",
                    queries=(
                        Query(
                            expr="min by (part) (argus_router_part_up{$where})",
                            legend="{{part}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Faults and cached starts",
            (
                Graph(
                    title="Faults",
                    description="Attempts lost or hung, workers ejected, prompts in quarantine, "
                    "images drawn a second time.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_router_faults_total", "kind"),
                            legend="{{kind}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Starts from cached latents",
                    description="Used, missed by the latent store, or not tried as fetches fail.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_router_starts_total", "outcome"),
                            legend="{{outcome}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Fetching a start",
                    description="95th percentile; an image waits for it.",
                    unit="s",
                    queries=(
                        Query(
                            expr=quantile("argus_router_fetch_duration_seconds", 0.95, "outcome"),
                            legend="{{outcome}}",
                            quiet=True,
                        ),
                    ),
                ),
            ),
        ),
    ),
)
