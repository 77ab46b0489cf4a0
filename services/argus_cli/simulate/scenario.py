"""From options and an ArgusCluster document to what happens in a run.

An `Outline` is all that was asked for, read and checked; a seed makes a `Scenario` of it. Arrivals,
prompts, predictions and luck each have their own stream of chance, so that one option changes no
other's draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np

from argus_cli import options
from argus_cli.document import load_document
from argus_cli.profiles import (
    applied,
    either,
    measured_of,
    read_profile,
    switches_of,
)
from argus_cli.qualities import Measured, read_qualities
from argus_cli.simulate.ladder import pool_of, qualities_of, workers_of
from argus_cli.simulate.prompts import drawn
from argus_cli.simulate.traces import arrivals_of
from argus_control.levels import levels_of
from argus_core.errors import InvalidRequest
from argus_core.planning.problem import LevelProfile
from argus_core.simulator.arrivals import LOOKALIKES
from argus_core.simulator.check import require_valid
from argus_core.simulator.noise import predicted
from argus_core.simulator.scenario import Floats, Ints, Prompts, Scenario

FITTED = 600.0
"""Seconds that a look-alike lasts where nothing else is asked for."""
WIDEST = 0.95
"""Spread of prompts; beyond it nearly all qualities are 0 or 1."""
_PROMPTS = 2000
"""Made up where nothing was measured."""
_WORKERS = 10_000
OPTIONS = {
    "arrivals": "--trace",
    "deadline": "--slo",
    "interval": "--interval",
    "retries": "--retries",
    "seed": "--seed",
    "variation": "--variation",
    "workers": "--workers",
}
"""By field of the scenario."""


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What was asked for, the same for every seed. Times in seconds."""

    trace: str
    """A look-alike's name, or a file's path."""
    rate: float | None
    """Mean requests a second of the whole trace; None for as it is."""
    speed: float
    """Times as fast as recorded."""
    until: float | None
    """Of the trace's own seconds: what comes later is left out; None for all."""
    levels: tuple[LevelProfile, ...]
    means: tuple[float, ...]
    """The ladder's prior qualities, by level."""
    workers: tuple[str, ...]
    """GPU type of each."""
    deadline: float
    target: float
    """Share of requests that must meet the deadline."""
    measured: Measured | None
    """Prompts as they were measured; None to make them up."""
    spread: float
    """Of made-up prompts, see `argus_cli.simulate.prompts`."""
    correlation: float
    """Of predictions with the truth, 0 to 1."""
    variation: float
    """Coefficient of variation of a level's seconds."""
    switch_seconds: Mapping[str, float]
    """By variant."""
    interval: float
    """Between two turns of the control loop."""
    shed_loss: float
    """What refusing a request costs, in quality: the document's."""
    retries: int
    """How often a refused client comes again."""


def read_outline(  # one argument an option
    *,
    trace: str,
    rate: float | None,
    duration: str | None,
    speed: float | None,
    slo: str | None,
    workers: int | None,
    pool: str | None,
    file: Path | None,
    qualities: Path | None,
    profile: Path | None = None,
    spread: float,
    correlation: float,
    variation: float,
    switch: Sequence[str],
    interval: str,
    retries: int,
) -> Outline:
    """Read and check what was typed.

    Raises:
        InvalidRequest: naming the option.
    """
    either(qualities, profile)
    document = load_document(file)[1]
    measuring = read_profile(profile) if profile else None
    if profile and measuring:
        document = applied(document, measuring, profile)
    spec = document.spec
    sized = pool_of(spec, pool)
    levels = levels_of(spec)
    if workers is not None:
        options.count("--workers", workers, most=_WORKERS)
    gpus = workers_of(spec, workers, sized)
    names = [level.name for level in levels]
    measured = read_qualities("--qualities", qualities, names) if qualities else None
    loading = switch_seconds("--switch", switch, levels)
    if measuring:
        measured = measured_of(measuring, names)
        loading = switches_of(measuring, gpus) | loading
    means = _means(measured) if measured else qualities_of(spec)
    deadline = spec.slo.deadline_seconds if slo is None else options.duration("--slo", slo)
    seconds = None if duration is None else options.duration("--duration", duration)
    fitted = trace in LOOKALIKES
    if rate is None and fitted:
        rate = carried(levels, means, gpus, deadline)
    speed, until = _pace(trace, speed, seconds)
    return Outline(
        trace=trace,
        rate=None if rate is None else options.above_zero("--rate", rate),
        speed=options.above_zero("--speed", speed),
        until=until,
        levels=levels,
        means=means,
        workers=gpus,
        deadline=deadline,
        target=spec.slo.target,
        measured=measured,
        spread=options.within("--spread", spread, 0, WIDEST),
        correlation=options.share("--correlation", correlation),
        variation=variation,
        switch_seconds=loading,
        interval=options.duration("--interval", interval),
        shed_loss=spec.planning.shed_loss,
        retries=retries,
    )


def scenario_of(outline: Outline, seed: int) -> Scenario:
    """What happens in the run of a seed.

    Raises:
        InvalidRequest: naming the option, or the scenario's field where no option sets it.
    """
    options.at_least("--seed", seed, 0)
    coming, prompts, noise, choice = np.random.default_rng(seed).spawn(4)
    arrivals, ids = _arrivals(outline, coming)
    truth, prompt_of = _truth(outline, ids, len(arrivals), prompts, choice)
    measured = outline.measured or Measured(qualities=())
    names = [level.name for level in outline.levels]
    scenario = Scenario(
        name=outline.trace,
        levels=outline.levels,
        workers=outline.workers,
        deadline=outline.deadline,
        target=outline.target,
        arrivals=arrivals,
        prompt_of=prompt_of,
        prompts=Prompts(
            truth=truth,
            predicted=predicted(truth, correlation=outline.correlation, rng=noise),
            similarity=None if measured.similarity is None else np.array(measured.similarity),
            confidence={names.index(x): np.array(c) for x, c in measured.confidence.items()},
        ),
        variation=outline.variation,
        switch_seconds=outline.switch_seconds,
        interval=outline.interval,
        shed_loss=outline.shed_loss,
        retries=outline.retries,
        seed=seed,
    )
    with options.named(OPTIONS):
        require_valid(scenario)
    return scenario


def carried(
    levels: Sequence[LevelProfile], means: Sequence[float], workers: Sequence[str], deadline: float
) -> float:
    """Images a second of all workers, each at the best level that it draws in time.

    Where a worker has none it counts at its quickest.
    """
    rate = 0.0
    for gpu in workers:
        seconds = [level.seconds.get(gpu, inf) for level in levels]
        in_time = [i for i, s in enumerate(seconds) if s <= deadline]
        best = max(in_time, key=lambda i: (means[i], -seconds[i]), default=None)
        rate += 1 / (min(seconds) if best is None else seconds[best])
    return rate


def switch_seconds(
    option: str, given: Sequence[str], levels: Sequence[LevelProfile]
) -> dict[str, float]:
    """Of `variant=20s`, or `20s` for every variant that is not named.

    Raises:
        InvalidRequest: naming the option.
    """
    variants = list(dict.fromkeys(level.variant for level in levels))
    found: dict[str, float] = {}
    for text in given:
        name, _, time = text.rpartition("=")
        if name and name not in variants:
            known = ", ".join(variants)
            raise InvalidRequest.one(option, f"there is no variant {name!r}; there are {known}")
        seconds = options.duration(option, time)
        found |= {name: seconds} if name else {v: seconds for v in variants if v not in found}
    return found


def _means(measured: Measured) -> tuple[float, ...]:
    return tuple(np.mean(measured.qualities, axis=0).tolist())


def _pace(trace: str, speed: float | None, duration: float | None) -> tuple[float, float | None]:
    """How fast a trace is told, and until when; a look-alike is pressed into the time asked for."""
    if speed is not None or trace not in LOOKALIKES:
        speed = 1.0 if speed is None else speed
        return speed, None if duration is None else duration * speed
    rates, step = LOOKALIKES[trace](np.random.default_rng(0))
    return len(rates) * step / (duration or FITTED), None


def _arrivals(outline: Outline, rng: np.random.Generator) -> tuple[Floats, Ints | None]:
    rate = None if outline.rate is None else outline.rate / outline.speed
    arrivals, ids = arrivals_of(
        "--trace", outline.trace, rate=rate, duration=outline.until, rng=rng
    )
    return arrivals / outline.speed, ids


def _truth(
    outline: Outline,
    ids: Ints | None,
    requests: int,
    prompts: np.random.Generator,
    choice: np.random.Generator,
) -> tuple[Floats, Ints]:
    """Quality of each prompt at each level, and each request's prompt."""
    if outline.measured is not None:
        truth = np.array(outline.measured.qualities)
        if ids is not None and ids.max() >= len(truth):
            problem = f"has {len(truth)} rows, and the trace names prompt_id {ids.max()}"
            raise InvalidRequest.one("--qualities", f"{problem}; the first is 0")
        return truth, choice.integers(len(truth), size=requests) if ids is None else ids
    count = _PROMPTS
    if ids is not None:
        distinct, ids = np.unique(ids, return_inverse=True)
        count = len(distinct)
    truth = drawn(outline.means, count=count, spread=outline.spread, rng=prompts)
    return truth, choice.integers(count, size=requests) if ids is None else ids
