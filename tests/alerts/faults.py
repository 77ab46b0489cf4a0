"""Cases of the alerts on causes."""

from __future__ import annotations

from alerts.cases import Case

_HEALTHY = {
    'argus_slo_target_ratio{objective="latency"}': "0.99x240",
    'argus_control_workers{phase="ready"}': "2x240",
    'argus_control_workers{phase="failed"}': "0x240",
    'argus_control_workers{phase="lost"}': "0x240",
    'argus_router_workers{state="ready"}': "2x240",
    "argus_worker_slots": "1x240",
    'argus_router_part_up{part="predictor"}': "1x240",
    "argus_predictor_neighbour_entries": "5x240",
}


def _case(alert: str, rule: str, series: dict[str, str], **expected) -> Case:
    """Of a cluster that is otherwise well; a series that is None is not there."""
    merged = {**_HEALTHY, **series}
    return Case(alert=alert, rule=rule, series={k: v for k, v in merged.items() if v}, **expected)


def _level(alert: str, series: str, bad: str, *, well: str, wait: int, **more) -> list[Case]:
    """Cases of what is told by one series' value, for so many minutes."""
    rest = more.pop("with_", {})
    return [
        _case(
            alert,
            "silent while all is well",
            {**rest, series: f"{well}x240"},
            silent=(1, 90),
            **more,
        ),
        _case(
            alert,
            "fires after its time, and resolves",
            {**rest, series: f"{well}x30 {bad}x60 {well}x150"},
            silent=(30, 31 + wait - 2, 95, 110),
            fires=(31 + wait + 1, 85),
            **more,
        ),
        _case(
            alert,
            "a short trouble is none",
            {**rest, series: f"{well}x30 {bad}x{max(1, wait - 3)} {well}x150"},
            silent=(29, 30 + wait - 2, 30 + wait + 2, 100),
            **more,
        ),
        _case(
            alert,
            "silent over a gap of scrapes",
            {**rest, series: f"{well}x30 _x4 {well}x100"},
            silent=(30, 32, 34, 36, 60),
            **more,
        ),
        _case(
            alert,
            "silent over a restart, whose successor finds all well",
            {
                **rest,
                _instance(series, "a"): f"{well}x30",
                _instance(series, "b"): f"_x32 {well}x60",
            },
            silent=(30, 32, 34, 36, 60),
            **more,
        ),
    ]


def _instance(series: str, name: str) -> str:
    """A series of one process, which tells it from its successor's."""
    start, _, labels = series.partition("{")
    more = labels.removesuffix("}")
    return f'{start}{{{more}{"," if more else ""}instance="{name}"}}'


_WORKERS = [
    *_level("ArgusNoReadyWorkers", 'argus_router_workers{state="ready"}', "0", well="2", wait=5),
    _case(
        "ArgusNoReadyWorkers",
        "a restart: a router that knows nobody yet is no outage",
        {
            'argus_router_workers{state="ready"}': "2x60 0x2 2x120",
        },
        silent=(60, 62, 64, 70),
    ),
    *_level("ArgusWorkerUnhealthy", 'argus_control_workers{phase="lost"}', "1", well="0", wait=10),
    *_level(
        "ArgusWorkerUnhealthy", 'argus_control_workers{phase="failed"}', "1", well="0", wait=10
    ),
    _case(
        "ArgusNoReadyWorkers",
        "where no worker is ready, that some are unhealthy is no news",
        {
            'argus_router_workers{state="ready"}': "0x120",
            'argus_control_workers{phase="ready"}': "0x120",
            'argus_control_workers{phase="lost"}': "2x120",
        },
        fires=(30, 120),
    ),
    *_level(
        "ArgusGPUBudgetExceeded",
        'argus_operator_gpus{pool="big",state="terminating"}',
        "1",
        well="0",
        wait=10,
        with_={
            'argus_operator_gpus{pool="big",state="budget"}': "2x240",
            'argus_operator_gpus{pool="big",state="ready"}': "2x240",
        },
    ),
    _case(
        "ArgusSwitchStuck",
        "switches that end are silent, however many",
        {"argus_control_switching_since_timestamp_seconds": "0 60x1 0 240x2 0x1 540x5 0x100"},
        silent=(1, 5, 12, 60),
    ),
    _case(
        "ArgusSwitchStuck",
        "fires for one of a quarter of an hour, and resolves with its end",
        {"argus_control_switching_since_timestamp_seconds": "0x30 1860x40 0x100"},
        silent=(30, 40, 46, 73, 100),
        fires=(48, 60, 70),
    ),
    _case(
        "ArgusSwitchStuck",
        "a restart: an operator that begins anew in the middle counts from there",
        {"argus_control_switching_since_timestamp_seconds": "0x30 1860x10 _x2 2580x10 0x60"},
        silent=(40, 42, 50, 54, 80),
    ),
    _case(
        "ArgusSwitchStuck",
        "silent over a gap of scrapes",
        {"argus_control_switching_since_timestamp_seconds": "0x30 _x10 0x100"},
        silent=(30, 35, 42, 60),
    ),
]

_TURNS = {"argus_control_interval_seconds": "10x240"}
_REPORTED = {**_TURNS, "argus_control_report_timestamp_seconds": "0+60x240"}
_PLANS = [
    _case(
        "ArgusPlanThrashing",
        "three switches of each worker within half an hour are silent",
        {"argus_control_assignments_total": "0x30 1 2 3 4 5 6x200"},
        silent=(30, 36, 60, 120),
    ),
    _case(
        "ArgusPlanThrashing",
        "fires where each moves every other minute, and resolves when they rest",
        {"argus_control_assignments_total": "0+1x90 90x150"},
        silent=(5, 125),
        fires=(40, 90),
    ),
    _case(
        "ArgusPlanThrashing",
        "a restart: an operator that counts from nothing is silent",
        {"argus_control_assignments_total": "50x60 0x2 1x100"},
        silent=(60, 62, 64, 90),
    ),
    _case(
        "ArgusPlanThrashing",
        "silent over a gap of scrapes",
        {"argus_control_assignments_total": "50x60 _x10 52x100"},
        silent=(60, 65, 71, 90),
    ),
    _case(
        "ArgusPlanStale",
        "a loop that turns is silent, though no plan is new",
        {**_TURNS, "argus_control_turn_timestamp_seconds": "0+60x240"},
        labels={"of": "control"},
        silent=(1, 60),
    ),
    _case(
        "ArgusPlanStale",
        "a loop that hangs fires, and resolves when it turns again",
        {**_TURNS, "argus_control_turn_timestamp_seconds": "0+60x30 1800x30 3660+60x60"},
        labels={"of": "control"},
        silent=(30, 36, 64, 100),
        fires=(40, 59),
    ),
    _case(
        "ArgusPlanStale",
        "a loop that looks once in an hour, as the document says, is not late within it",
        {
            "argus_control_interval_seconds": "3600x240",
            "argus_control_turn_timestamp_seconds": "0x59 3600x60 7200x60",
        },
        labels={"of": "control"},
        silent=(30, 59, 100, 160),
    ),
    _case(
        "ArgusPlanStale",
        "silent over a gap of scrapes, and over a restart of the operator",
        {**_TURNS, "argus_control_turn_timestamp_seconds": "0+60x30 _x10 2460+60x60"},
        labels={"of": "control"},
        silent=(30, 35, 41, 45, 90),
    ),
    _case(
        "ArgusPlanStale",
        "routers that are told plans as they come are silent",
        {"argus_control_plan_id": "1+1x240", "argus_router_plan_id": "0 1+1x240"},
        labels={"of": "routers"},
        silent=(10, 60),
    ),
    _case(
        "ArgusPlanStale",
        "a router that keeps an old plan fires, and resolves when it is told",
        {"argus_control_plan_id": "1x30 2x200", "argus_router_plan_id": "1x60 2x170"},
        labels={"of": "routers"},
        silent=(30, 34, 66, 100),
        fires=(40, 58),
    ),
    _case(
        "ArgusPlanStale",
        "a restart: a router without a plan has two minutes",
        {"argus_control_plan_id": "7x240", "argus_router_plan_id": "7x60 0 7x170"},
        labels={"of": "routers"},
        silent=(60, 61, 62, 64, 70),
    ),
    _case(
        "ArgusMetricsStale",
        "routers that tell are silent",
        _REPORTED,
        silent=(1, 60),
    ),
    _case(
        "ArgusMetricsStale",
        "routers that tell nothing fire, and resolve when they do",
        {**_TURNS, "argus_control_report_timestamp_seconds": "0+60x30 1800x30 3660+60x60"},
        silent=(30, 32, 64, 90),
        fires=(37, 59),
    ),
    _case(
        "ArgusMetricsStale",
        "silent over a gap of scrapes, and over a restart of the operator",
        {**_TURNS, "argus_control_report_timestamp_seconds": "0+60x30 _x10 2460+60x60"},
        silent=(30, 35, 41, 45, 90),
    ),
    _case(
        "ArgusTargetAbsent",
        "where no router is scraped, that they tell nothing is no news",
        {
            **_TURNS,
            "argus_control_report_timestamp_seconds": "0x120",
            'argus_slo_target_ratio{objective="latency"}': None,
        },
        labels={"part": "router"},
        fires=(30, 120),
    ),
]

_PROMPTS = "argus_predictor_duration_seconds_count"
_FALLEN = 'argus_predictor_fallback_total{reason="lost"}'
_QUALITY = [
    _case(
        "ArgusPredictorFallback",
        "a prompt in a hundred is silent",
        {_PROMPTS: "0+100x240", _FALLEN: "0+1x240"},
        silent=(10, 60),
    ),
    _case(
        "ArgusPredictorFallback",
        "fires where all fall back, and resolves when they do no more",
        {_PROMPTS: "0+60x240", _FALLEN: "0x30 60+60x30 1860x180"},
        silent=(30, 33, 75, 100),
        fires=(45, 60),
    ),
    _case(
        "ArgusPredictorFallback",
        "a cluster that has no predictor is silent",
        {_PROMPTS: "0+60x240", 'argus_predictor_fallback_total{reason="none"}': "0+60x240"},
        silent=(30, 60),
    ),
    _case(
        "ArgusPredictorFallback",
        "two of three prompts at night are silent",
        {_PROMPTS: "0x30 3x200", _FALLEN: "0x30 2x200"},
        silent=(31, 36, 39, 60),
    ),
    _case(
        "ArgusPredictorFallback",
        "silent over a gap of scrapes, and over a restart of the router",
        {_PROMPTS: "0+60x30 _x5 0+60x60", _FALLEN: "40x30 _x5 0x60"},
        silent=(30, 33, 36, 45, 90),
    ),
    *_level(
        "ArgusQualityDrift",
        'argus_predictor_quality_drifted{level="best"}',
        "1",
        well="0",
        wait=30,
        with_={'argus_predictor_quality_error{level="best"}': "-0.1x240"},
    ),
    *_level("ArgusLatentStoreDown", 'argus_router_part_up{part="store"}', "0", well="1", wait=5),
    *_level("ArgusLatentStoreDown", "argus_worker_store_up", "0", well="1", wait=5),
    *_level("ArgusLatentStoreDown", "argus_predictor_store_up", "0", well="1", wait=5),
    _case(
        "ArgusLatentStoreDown",
        "one worker of two that cannot reach it is not the store",
        {
            'argus_worker_store_up{instance="a"}': "0x120",
            'argus_worker_store_up{instance="b"}': "1x120",
        },
        silent=(10, 120),
    ),
]

_ALONE = dict.fromkeys(_HEALTHY)
_ABSENT = [
    _case(
        "ArgusTargetAbsent",
        "silent where every part is scraped",
        {},
        silent=(1, 90),
    ),
    _case(
        "ArgusTargetAbsent",
        "routers that are gone page after ten minutes, and resolve",
        {'argus_slo_target_ratio{objective="latency"}': "0.99x30 _x60 0.99x60"},
        labels={"part": "router"},
        silent=(30, 38, 95, 110),
        fires=(48, 85),
    ),
    _case(
        "ArgusTargetAbsent",
        "a gap of some scrapes, or a restart, is no absence",
        {
            'argus_slo_target_ratio{objective="latency"}': "0.99x30 _x5 0.99x60",
            'argus_control_workers{phase="ready"}': "2x30 _x5 2x60",
            "argus_worker_slots": "1x30 _x5 1x60",
            "argus_predictor_neighbour_entries": "1x30 _x5 1x60",
        },
        silent=(31, 35, 37, 45, 90),
    ),
    _case(
        "ArgusTargetAbsent",
        "a control loop that is gone is told of",
        {
            'argus_control_workers{phase="ready"}': "2x30 _x60 2x60",
            'argus_control_workers{phase="failed"}': "0x30 _x60 0x60",
            'argus_control_workers{phase="lost"}': "0x30 _x60 0x60",
        },
        labels={"part": "control"},
        silent=(30, 38, 95, 110),
        fires=(48, 85),
    ),
    _case(
        "ArgusTargetAbsent",
        "workers that serve and are not scraped are told of",
        {"argus_worker_slots": "1x30 _x60 1x60"},
        labels={"part": "worker"},
        silent=(30, 38, 95, 110),
        fires=(48, 85),
    ),
    _case(
        "ArgusTargetAbsent",
        "a predictor that answers and is not scraped is told of",
        {"argus_predictor_neighbour_entries": "1x30 _x60 1x60"},
        labels={"part": "predictor"},
        silent=(30, 38, 95, 110),
        fires=(48, 85),
    ),
    _case(
        "ArgusTargetAbsent",
        "a predictor that is down is the fallback's to tell",
        {
            "argus_predictor_neighbour_entries": None,
            'argus_router_part_up{part="predictor"}': "0x120",
        },
        labels={"part": "predictor"},
        silent=(30, 120),
    ),
    _case(
        "ArgusTargetAbsent",
        "nothing at all of Argus pages",
        {**_ALONE, '!up{job="other"}': "1x120"},
        labels={"part": "all"},
        silent=(5,),
        fires=(30, 120),
    ),
    _case(
        "ArgusTargetAbsent",
        "an operator without clusters is enough",
        {**_ALONE, "!argus_operator_leader": "1x120"},
        labels={"part": "all"},
        silent=(5, 30, 120),
    ),
]

CASES = [*_WORKERS, *_PLANS, *_QUALITY, *_ABSENT]
