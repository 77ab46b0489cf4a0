"""Alerts on causes: what is broken, or about to be, whether or not users notice yet.

Each is of one cause. Where one thing makes another (no worker is ready as all are unhealthy), the
rule of the lesser says when it holds its peace.
"""

from __future__ import annotations

from collections.abc import Iterator

from argus_alerts.rule import NAME, SHARE, TIME, VALUE, WHERE, Alert, Pace, Severity

_MINUTE = 60.0
_STUCK = 15 * _MINUTE
"""Of a switch: loading the largest models from a slow disk takes some minutes."""
_LATE_TURN, _LATE_REPORT = 5 * _MINUTE, 1 * _MINUTE
"""Of the control loop, on top of three of its intervals."""
_SWITCHES = 4
"""Of every worker, on average within half an hour: each costs some seconds of a GPU, and a plan
that is worth it lives for longer."""
_FALLBACK = 0.1
"""Share of prompts without a prediction: fewer are a hiccup."""
_FEWEST_PROMPTS = 20


def workers(pace: Pace) -> Iterator[Alert]:
    """Of the workers, and the budget that they are."""
    charged = f'sum by ({WHERE}, pool) (argus_operator_gpus{{state!="budget"}})'
    budget = f'sum by ({WHERE}, pool) (argus_operator_gpus{{state="budget"}})'
    ready = f'max by ({WHERE}) (argus_router_workers{{state="ready"}})'
    yield Alert(
        name="ArgusNoReadyWorkers",
        expr=f"{ready} == 0",
        wait=pace.wait(5 * _MINUTE),
        severity=Severity.PAGE,
        summary="No worker serves",
        description=f"Cluster {NAME} draws nothing: no router knows a worker that is ready.",
    )
    yield Alert(
        name="ArgusWorkerUnhealthy",
        expr=(
            f'sum by ({WHERE}) (argus_control_workers{{phase=~"failed|lost"}}) > 0\n'
            f"and on ({WHERE}) {ready} > 0"
        ),
        wait=pace.wait(10 * _MINUTE),
        severity=Severity.TICKET,
        summary="Workers of the budget do not serve",
        description=f"Cluster {NAME} lacks {VALUE} workers that have failed or are not heard.",
    )
    yield Alert(
        name="ArgusGPUBudgetExceeded",
        expr=f"{charged} - {budget} > 0",
        wait=pace.wait(10 * _MINUTE),
        severity=Severity.TICKET,
        summary="More GPUs are in use than the budget",
        description=f"Cluster {NAME} has {VALUE} pods too many in pool {{{{ $labels.pool }}}}.",
    )
    yield Alert(
        name="ArgusSwitchStuck",
        expr=(
            f"max by ({WHERE}) (time() - (argus_control_switching_since_timestamp_seconds > 0)) "
            f"> {pace.seconds(_STUCK):g}"
        ),
        wait=pace.wait(_MINUTE),
        severity=Severity.TICKET,
        summary="A worker does not get done with switching",
        description=f"A worker of cluster {NAME} has been switching for {TIME}.",
    )


def plans(pace: Pace) -> Iterator[Alert]:
    """Of the control loop."""
    window = pace.window(30 * _MINUTE)
    behind = f"argus_router_plan_id < on ({WHERE}) group_left ()"
    yield Alert(
        name="ArgusPlanThrashing",
        expr=(
            f"sum by ({WHERE}) (increase(argus_control_assignments_total[{window}]))\n"
            f"/ sum by ({WHERE}) (argus_control_workers) > {_SWITCHES}"
        ),
        wait=pace.wait(5 * _MINUTE),
        severity=Severity.TICKET,
        summary="Workers are moved back and forth",
        description=f"Cluster {NAME} moved each worker {VALUE} times in 30 minutes.",
    )
    yield Alert(
        name="ArgusPlanStale",
        expr=_overdue("turn", pace.seconds(_LATE_TURN)),
        wait=pace.wait(2 * _MINUTE),
        severity=Severity.TICKET,
        summary="Nobody plans",
        description=f"The control loop of cluster {NAME} last looked at the load {TIME} ago.",
        labels={"of": "control"},
    )
    yield Alert(
        name="ArgusPlanStale",
        expr=(
            f"count by ({WHERE}) (\n"
            f"  {behind} (max by ({WHERE}) "
            f"(argus_control_plan_id offset {pace.wait(5 * _MINUTE)}))\n)"
        ),
        wait=pace.wait(2 * _MINUTE),
        severity=Severity.TICKET,
        summary="Routers follow an old plan",
        description=f"{VALUE} routers of cluster {NAME} follow a plan that was "
        "replaced more than five minutes ago.",
        labels={"of": "routers"},
    )
    yield Alert(
        name="ArgusMetricsStale",
        expr=(
            f"{_overdue('report', pace.seconds(_LATE_REPORT))}\n"
            f"and on ({WHERE}) count by ({WHERE}) (argus_slo_target_ratio)"
        ),
        wait=pace.wait(2 * _MINUTE),
        severity=Severity.TICKET,
        summary="The control loop does not know the load",
        description=f"No router of cluster {NAME} has told of its load for {TIME}; "
        "the plan is held.",
    )


def quality(pace: Pace) -> Iterator[Alert]:
    """Of what the choice of level rests on."""
    window = pace.window(10 * _MINUTE)
    fallen = f'sum by ({WHERE}) (rate(argus_predictor_fallback_total{{reason!="none"}}[{window}]))'
    asked = f"sum by ({WHERE}) (rate(argus_predictor_duration_seconds_count[{window}]))"
    prompts = f"sum by ({WHERE}) (increase(argus_predictor_duration_seconds_count[{window}]))"
    off = f"max by ({WHERE}, level) (argus_predictor_quality_drifted) == 1"
    yield Alert(
        name="ArgusPredictorFallback",
        expr=f"{fallen} / {asked} > {_FALLBACK:g}\nand {prompts} >= {_FEWEST_PROMPTS}",
        wait=pace.wait(5 * _MINUTE),
        severity=Severity.TICKET,
        summary="Levels are chosen without the predictor",
        description=f"Cluster {NAME} takes {SHARE} of its prompts for average ones.",
    )
    yield Alert(
        name="ArgusQualityDrift",
        expr=f"sum by ({WHERE}, level) (argus_predictor_quality_error)\nand {off}",
        wait=pace.wait(30 * _MINUTE),
        severity=Severity.TICKET,
        summary="Images are not worth what was predicted",
        description=f"Cluster {NAME} measures {VALUE} more quality at level "
        "{{ $labels.level }} than it predicts, and corrects for it.",
    )
    yield Alert(
        name="ArgusLatentStoreDown",
        expr=(
            f'max by ({WHERE}) (argus_router_part_up{{part="store"}}) == 0\n'
            f"or max by ({WHERE}) (argus_worker_store_up) == 0\n"
            f"or max by ({WHERE}) (argus_predictor_store_up) == 0"
        ),
        wait=pace.wait(5 * _MINUTE),
        severity=Severity.TICKET,
        summary="The latent store is of no use",
        description=f"Cluster {NAME} draws every image from noise: the latent store gives or takes "
        "nothing.",
    )


def absent(pace: Pace) -> Iterator[Alert]:
    """Of what is not scraped, though it should be: its other alerts cannot come."""
    control = f"count by ({WHERE}) (argus_control_workers)"
    router = f"count by ({WHERE}) (argus_slo_target_ratio)"
    serving = f'sum by ({WHERE}) (argus_control_workers{{phase="ready"}})'
    predicts = f'max by ({WHERE}) (argus_router_part_up{{part="predictor"}})'
    for part, expr, severity in (
        ("router", f"{control}\nunless {router}", Severity.PAGE),
        ("control", f"{router}\nunless {control}", Severity.TICKET),
        (
            "worker",
            f"{serving} > 0\nunless count by ({WHERE}) (argus_worker_slots)",
            Severity.TICKET,
        ),
        (
            "predictor",
            f"{predicts} == 1\nunless count by ({WHERE}) (argus_predictor_neighbour_entries)",
            Severity.TICKET,
        ),
    ):
        yield Alert(
            name="ArgusTargetAbsent",
            expr=expr,
            wait=pace.wait(10 * _MINUTE),
            severity=severity,
            summary=f"Prometheus has nothing of the {part}",
            description=f"No {part} of cluster {NAME} is scraped; alerts on it cannot come.",
            labels={"part": part},
        )
    yield Alert(
        name="ArgusTargetAbsent",
        expr=(
            "absent(argus_slo_target_ratio) and absent(argus_control_workers) "
            "and absent(argus_operator_leader)"
        ),
        wait=pace.wait(10 * _MINUTE),
        severity=Severity.PAGE,
        summary="Prometheus has nothing of Argus",
        description="Neither an operator nor any router is scraped; no other alert of Argus can "
        "come.",
        labels={"part": "all"},
    )


def _overdue(what: str, grace: float) -> str:
    """By how long something of the control loop is overdue, where it is."""
    age = f"time() - argus_control_{what}_timestamp_seconds"
    bound = f"{grace:g} + 3 * argus_control_interval_seconds"
    return f"max by ({WHERE}) ({age} > {bound})"
