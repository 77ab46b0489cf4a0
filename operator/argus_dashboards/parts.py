"""The predictor, the workers, and the operator."""

from __future__ import annotations

from argus_dashboards.draw import Board, Figure, Graph, Query
from argus_dashboards.queries import mean, most, quantile, rate, total

PREDICTOR = Board(
    name="predictor",
    title="Predictor",
    description="How fast, how often and how well prompts' quality is told.",
    rows=(
        (
            "Predictions",
            (
                Graph(
                    title="Predictions by how they ended",
                    description="shed and late make the ladder's means stand in.",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=rate("argus_predictor_predictions_total", "outcome"),
                            legend="{{outcome}}",
                        ),
                    ),
                ),
                Graph(
                    title="Time of a prediction",
                    description="In the predictor, from a prompt's arrival.",
                    unit="s",
                    queries=tuple(
                        Query(
                            expr=quantile("argus_predictor_prediction_duration_seconds", of),
                            legend=f"p{100 * of:g}",
                        )
                        for of in (0.5, 0.95)
                    ),
                ),
                Graph(
                    title="As routers see it",
                    description="Time to an answer, or until it is given up: every prompt waits "
                    "for that.",
                    unit="s",
                    queries=tuple(
                        Query(
                            expr=quantile("argus_predictor_duration_seconds", of),
                            legend=f"p{100 * of:g}",
                        )
                        for of in (0.5, 0.95)
                    ),
                ),
            ),
        ),
        (
            "Without an answer, and neighbours",
            (
                Graph(
                    title="Prompts without a prediction of their own",
                    description="By why; none is a cluster without a predictor.",
                    unit="reqps",
                    queries=(
                        Query(
                            expr=rate("argus_predictor_fallback_total", "reason"),
                            legend="{{reason}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Parts of answers that were ignored",
                    description="Malformed parts that routers left out; there should be none.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_predictor_ignored_total", "part"),
                            legend="{{part}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Earlier prompts that are known",
                    description="That have latents to begin from.",
                    unit="short",
                    queries=(
                        Query(
                            expr=most("argus_predictor_neighbour_entries", "cluster"),
                            legend="{{cluster}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)


def _level(source: str) -> str:
    where = f'{{$where, source="{source}"}}'
    return f"max by (level) (argus_control_level_seconds{where})"


WORKER = Board(
    name="worker",
    title="Worker",
    description="What the GPUs do with their time.",
    plans=True,
    rows=(
        (
            "Drawing",
            (
                Graph(
                    title="An image's stages",
                    description="Mean of each; the sum is the time at the worker.",
                    unit="s",
                    stacked=True,
                    queries=(
                        Query(
                            expr=mean("argus_worker_stage_duration_seconds", "stage"),
                            legend="{{stage}}",
                        ),
                    ),
                ),
                Graph(
                    title="Time at the worker",
                    description="95th percentile by variant, from being taken until drawn.",
                    unit="s",
                    queries=(
                        Query(
                            expr=quantile("argus_worker_image_duration_seconds", 0.95, "variant"),
                            legend="{{variant}}",
                        ),
                    ),
                ),
                Graph(
                    title="Slots at work",
                    description="Share of all slots that draw.",
                    unit="percentunit",
                    most=1,
                    queries=(
                        Query(
                            expr="sum by (cluster) (argus_worker_in_flight{$where}) / "
                            "sum by (cluster) (argus_worker_slots{$where})",
                            legend="{{cluster}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "What an image takes",
            (
                Graph(
                    title="Planned with, by level",
                    description="Seconds of an image as plans take them: by the document first, "
                    "then by what is measured. On the slowest type of GPU.",
                    unit="s",
                    queries=(Query(expr=_level("planned"), legend="{{level}}"),),
                ),
                Graph(
                    title="Measured, times what is stated",
                    description="1 where images take what the document says. Far from it profiles "
                    "are another GPU's, or GPUs are shared with others.",
                    unit="none",
                    queries=(
                        Query(
                            expr=f"{_level('measured')} / {_level('stated')}",
                            legend="{{level}}",
                            quiet=True,
                        ),
                    ),
                ),
            ),
        ),
        (
            "Switching and health",
            (
                Graph(
                    title="Phases",
                    description="Workers by phase, as they say of themselves.",
                    unit="short",
                    stacked=True,
                    queries=(Query(expr=total("argus_worker_phase", "phase"), legend="{{phase}}"),),
                ),
                Graph(
                    title="Loading what was assigned",
                    description="Mean, once nothing ran any more.",
                    unit="s",
                    queries=(
                        Query(
                            expr="sum by (cluster) "
                            "(argus_worker_model_load_duration_seconds_sum{$where}) / sum by "
                            "(cluster) (argus_worker_model_load_duration_seconds_count{$where})",
                            legend="{{cluster}}",
                        ),
                    ),
                ),
                Graph(
                    title="Devices out of order",
                    description="Workers whose device is of no use.",
                    unit="short",
                    queries=(
                        Query(
                            expr="sum by (cluster) (argus_worker_healthy{$where} == bool 0)",
                            legend="{{cluster}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Memory and latents",
            (
                Graph(
                    title="Memory of the accelerator",
                    description="That workers have taken, and that there is; 0 on CPUs.",
                    unit="bytes",
                    queries=(
                        Query(
                            expr=total("argus_worker_memory_used_bytes", "cluster"),
                            legend="{{cluster}} taken",
                        ),
                        Query(
                            expr=total("argus_worker_memory_bytes", "cluster"),
                            legend="{{cluster}} there is",
                        ),
                    ),
                ),
                Graph(
                    title="Latents",
                    description="By what became of them: fetched, missed, kept, dropped.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate("argus_worker_store_latents_total", "outcome"),
                            legend="{{outcome}}",
                            quiet=True,
                        ),
                    ),
                ),
                Graph(
                    title="Workers that lost the latent store",
                    description="They draw all from noise meanwhile.",
                    unit="short",
                    queries=(
                        Query(
                            expr="sum by (cluster) (argus_worker_store_up{$where} == bool 0)",
                            legend="{{cluster}}",
                            quiet=True,
                        ),
                    ),
                ),
            ),
        ),
    ),
)

_OPERATOR = "argus_operator_"

OPERATOR = Board(
    name="operator",
    title="Operator",
    description="What the operator keeps in Kubernetes, and what that costs the API server.",
    plans=True,
    rows=(
        (
            "At a glance",
            (
                Figure(
                    title="ArgusClusters",
                    description="That are kept.",
                    unit="short",
                    queries=(Query(expr="sum(argus_operator_clusters)", legend="clusters"),),
                ),
                Figure(
                    title="Operators that act",
                    description="Holders of the lease; anything but 1 is worth a look.",
                    unit="short",
                    queries=(Query(expr="sum(argus_operator_leader)", legend="leaders"),),
                ),
            ),
        ),
        (
            "Clusters",
            (
                Graph(
                    title="Workers by variant",
                    description="That shall hold each variant, and that serve it.",
                    unit="short",
                    queries=(
                        Query(
                            expr=total(f"{_OPERATOR}desired_replicas", "cluster, variant"),
                            legend="{{cluster}} {{variant}} wanted",
                        ),
                        Query(
                            expr=total(f"{_OPERATOR}current_replicas", "cluster, variant"),
                            legend="{{cluster}} {{variant}} serve",
                        ),
                    ),
                ),
                Graph(
                    title="GPUs by what their pods do",
                    description="Every pod of a pool is charged to it; budget is its size, which "
                    "the others' sum never exceeds.",
                    unit="short",
                    queries=(Query(expr=total(f"{_OPERATOR}gpus", "state"), legend="{{state}}"),),
                ),
                Graph(
                    title="Plans",
                    description="By what became of them, and who made them.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=rate(f"{_OPERATOR}plans_total", "result, reason", of=""),
                            legend="{{result}} {{reason}}",
                        ),
                    ),
                ),
            ),
        ),
        (
            "Its own work",
            (
                Graph(
                    title="Switches",
                    description="95th percentile of draining and loading.",
                    unit="s",
                    queries=(
                        Query(
                            expr=quantile(
                                f"{_OPERATOR}switch_duration_seconds", 0.95, "phase", of=""
                            ),
                            legend="{{phase}}",
                        ),
                    ),
                ),
                Graph(
                    title="Looks",
                    description="95th percentile of one look at a cluster.",
                    unit="s",
                    queries=(
                        Query(
                            expr=quantile(f"{_OPERATOR}reconcile_duration_seconds", 0.95, of=""),
                            legend="p95",
                        ),
                    ),
                ),
                Graph(
                    title="Looks that failed",
                    description="They are tried again; its log says why.",
                    unit="cps",
                    queries=(
                        Query(
                            expr=f"sum(rate({_OPERATOR}reconcile_failures_total"
                            "[$__rate_interval]))",
                            legend="failures",
                        ),
                    ),
                ),
                Graph(
                    title="Requests to the API server",
                    description="At rest some three a minute a cluster. The metric tells the kinds "
                    "of objects, too.",
                    unit="reqps",
                    stacked=True,
                    queries=(
                        Query(
                            expr=rate(f"{_OPERATOR}api_requests_total", "method", of=""),
                            legend="{{method}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
)
