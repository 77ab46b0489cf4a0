"""What would happen with other GPUs or another load: the simulator asked about the present. Pure.

A question is plain JSON, so that another process can answer it. It is made of what routers tell:
the ladder, the workers, prompts of late with the qualities predicted for them, and the load. What
is answered is Argus's own policy twice, as things are and as they would be, over the same prompts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from argus_console.views import variants
from argus_console.watch import INTERVAL
from argus_core.errors import InvalidRequest, Violation
from argus_core.planning.problem import LevelProfile
from argus_core.policies.argus import Argus
from argus_core.pricing import SHED_LOSS
from argus_core.simulator.arrivals import counted, poisson
from argus_core.simulator.engine import simulate
from argus_core.simulator.scenario import Floats, Prompts, Scenario
from argus_core.simulator.series import series_of
from argus_core.simulator.summary import summarise
from argus_protos.v1.cluster_pb2 import LevelSeconds
from argus_protos.v1.images_pb2 import DescribeClusterResponse
from argus_rpc.convert import seconds

Json = dict[str, Any]

MOST_GPUS = 1000
LEAST_LOAD, MOST_LOAD = 0.1, 10.0
"""Times the present load."""
_PROMPTS = 1000
"""The newest of those that routers told of."""
_SPAN, _REQUESTS = 600.0, 4000
"""Seconds that a run lasts, or as long as so many requests take to come."""
_IDLE = 5
"""Arrivals below which there is no load to speak of."""
_SWITCH = 5.0
"""Seconds to load a variant that nobody has loaded yet."""
_GPU = "gpu"
"""A level has one time, that of the slowest pool: so workers count as alike."""
_FIGURES = (
    "quality_in_time", "value", "violations", "late", "refused", "dropped", "latency_p50",
    "latency_p99", "utilisation", "switches",
)  # fmt: skip


def question(
    cluster: DescribeClusterResponse,
    *,
    prompts: Sequence[Sequence[float]],
    lately: Json,
    arrivals: Sequence[int],
    times: Sequence[LevelSeconds],
    gpus: int,
    load: float,
) -> Json:
    """What the simulator is asked.

    Args:
        cluster: as it is.
        prompts: qualities by level, in the ladder's order; none for the ladder's means.
        lately: the load, as `views.load` tells it.
        arrivals: images asked for in each step of `INTERVAL` seconds of late, oldest first.
        times: what images take, as the plan in force has it; none for what the document says.
        gpus: more or fewer.
        load: times what it is.

    Raises:
        InvalidRequest: naming the field that is out of range.
    """
    budget = sum(pool.workers for pool in cluster.pools) or len(cluster.workers)
    wrong = []
    if not 1 <= budget + gpus <= MOST_GPUS:
        wrong.append(Violation("gpus", f"there are {budget}: must leave 1 to {MOST_GPUS}"))
    if not LEAST_LOAD <= load <= MOST_LOAD:
        wrong.append(Violation("load", f"must be {LEAST_LOAD:g} to {MOST_LOAD:g} times what it is"))
    if wrong:
        raise InvalidRequest(wrong)
    idle = lately["arrivals"] < _IDLE
    took = _seconds(cluster, times)
    levels = [
        {"name": v.name, "variant": v.variant, "seconds": took[v.name],
         "needs_start": v.schedule.skipped_steps > 0}
        for v in cluster.levels
    ]  # fmt: skip
    means = [level.prior_quality for level in cluster.levels]
    return {
        "levels": levels,
        "qualities": [list(row) for row in prompts[-_PROMPTS:]] or [means],
        "deadline": seconds(cluster.default_deadline),
        "target": cluster.slo_target,
        "shed_loss": cluster.shed_loss or SHED_LOSS,
        "switches": _switches(cluster),
        "idle": idle,
        "planned": any(one.HasField("planned") for one in times),
        "rate": budget / (2 * took[_best(cluster)]) if idle else lately["rate"],
        "arrivals": [] if idle else list(arrivals),
        "gpus": budget,
        "more": gpus,
        "load": load,
    }


def answer(asked: Json, *, clock: Callable[[], float]) -> Json:
    """What would happen; takes seconds."""
    now = _run(asked, asked["gpus"], 1.0, clock)
    then = _run(asked, asked["gpus"] + asked["more"], asked["load"], clock)
    made_up = len(asked["qualities"]) == 1
    told = {name: asked[name] for name in ("idle", "planned", "rate", "deadline", "target")}
    told["recorded"] = INTERVAL * len(asked["arrivals"])
    return {**told, "prompts": 0 if made_up else len(asked["qualities"]), "now": now, "then": then}


def _arrivals(asked: Json, load: float, rng: np.random.Generator) -> tuple[Floats, float]:
    """When images are asked for, and for how long, in seconds.

    The last minutes again and again, as they came; where hardly anybody asked, at random.
    """
    if not sum(asked["arrivals"]):
        span = min(_SPAN, _REQUESTS / (load * asked["rate"]))
        return poisson(np.array([load * asked["rate"]]), span, rng), span
    counts = np.resize(np.array(asked["arrivals"]), int(_SPAN / INTERVAL))
    few = np.cumsum(counts) * load <= _REQUESTS
    counts = counts[: max(1, int(few.sum()))]
    return counted(counts, INTERVAL, rng, times=load), INTERVAL * len(counts)


def _run(asked: Json, gpus: int, load: float, clock: Callable[[], float]) -> Json:
    rng = np.random.default_rng(0)
    arrivals, span = _arrivals(asked, load, rng)
    qualities = np.array(asked["qualities"])
    scenario = Scenario(
        name="what if",
        levels=tuple(
            LevelProfile(
                name=level["name"],
                variant=level["variant"],
                seconds={_GPU: level["seconds"]},
                needs_start=level["needs_start"],
            )
            for level in asked["levels"]
        ),
        workers=(_GPU,) * gpus,
        deadline=asked["deadline"],
        target=asked["target"],
        arrivals=arrivals,
        prompt_of=rng.integers(len(qualities), size=len(arrivals)),
        prompts=Prompts(truth=qualities, predicted=qualities),
        switch_seconds=asked["switches"],
        shed_loss=asked["shed_loss"],
    )
    outcome = simulate(scenario, Argus(), clock=clock)
    figures = asdict(summarise(scenario, outcome))
    series = series_of(scenario, outcome, bucket=span / 2)
    # The second half: it takes a while until the plan has found its way.
    held = {name: float(workers[-1]) for name, workers in series.workers.items()}
    told = {name: figures[name] for name in _FIGURES}
    return {
        "gpus": gpus,
        "rate": load * asked["rate"],
        "span": span,
        "requests": len(arrivals),
        "held": held,
        **told,
    }


def _switches(cluster: DescribeClusterResponse) -> dict[str, float]:
    """Seconds to load each variant, as workers have seen."""
    seen = defaultdict[str, list[float]](list)
    for state in cluster.workers:
        if state.HasField("last_switch"):
            for variant in state.last_switch.to:
                seen[variant].append(seconds(state.last_switch.load))
    return {
        variant: sum(seen[variant]) / len(seen[variant]) if seen[variant] else _SWITCH
        for variant in variants(cluster)
    }


def _seconds(cluster: DescribeClusterResponse, times: Sequence[LevelSeconds]) -> dict[str, float]:
    """Of an image at each level: as the plan takes them where that is told, on the slowest GPU."""
    found = {level.name: seconds(level.seconds_per_image) for level in cluster.levels}
    planned = defaultdict[str, list[float]](list)
    for one in times:
        if one.HasField("planned"):
            planned[one.level].append(seconds(one.planned))
    return found | {level: max(times) for level, times in planned.items()}


def _best(cluster: DescribeClusterResponse) -> str:
    """The level of best quality."""
    return max(cluster.levels, key=lambda level: level.prior_quality).name
