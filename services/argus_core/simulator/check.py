"""Refuses a scenario that makes no sense, naming every field that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import inf

import numpy as np

from argus_core.errors import InvalidRequest, Violation
from argus_core.planning.problem import LevelProfile
from argus_core.simulator.scenario import Ints, Loss, Prompts, Scenario, Store

_LARGEST = 1e9
"""Of any number; more is a mistake."""
_TINIEST = 1e-9
"""Of any number that must be above 0."""
_DEAREST = 1e4
"""That refusing a request may be."""
_LEVELS = 1_000
_WORKERS = 100_000
_RETRIES = 100
_TURNS = 10_000_000
"""Of the control loop in one run; more would not end in a lifetime."""
_BEYOND = 1e-9
"""By which a batch may miss its bounds: what rounding leaves."""

_Wrong = Iterator[tuple[str, str]]


def require_valid(scenario: Scenario) -> None:
    """Make sure that a scenario can be simulated.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    violations = [Violation(field, why) for field, why in _wrong(scenario)]
    if violations:
        raise InvalidRequest(violations)


def _wrong(scenario: Scenario) -> _Wrong:
    yield from _wrong_levels(scenario)
    yield from _wrong_workers(scenario)
    yield from _out_of_range("deadline", scenario.deadline, _TINIEST, _LARGEST)
    yield from _out_of_range("target", scenario.target, 1e-9, 1 - 1e-9)
    yield from _wrong_arrivals(scenario)
    yield from _wrong_prompts(scenario.prompts, len(scenario.levels))
    yield from _wrong_prompt_of(scenario)
    yield from _out_of_range("variation", scenario.variation, 0, 10)
    yield from _wrong_switching(scenario)
    yield from _wrong_store(scenario.store)
    yield from _wrong_loop(scenario)
    yield from _wrong_losses(scenario.losses, len(scenario.workers))
    yield from _out_of_range("shed_loss", scenario.shed_loss, 1 + _TINIEST, _DEAREST)
    yield from _not_whole("retries", scenario.retries, 0, _RETRIES)
    yield from _not_whole("seed", scenario.seed, 0, None)


def _wrong_levels(scenario: Scenario) -> _Wrong:
    levels = scenario.levels
    if not 1 <= len(levels) <= _LEVELS:
        yield "levels", f"must be 1 to {_LEVELS}, not {len(levels)}"
    names = [level.name for level in levels]
    if twins := sorted({name for name in names if names.count(name) > 1}):
        yield "levels", f"names must be unique, {twins} are not"
    types = set(scenario.workers)
    for level in levels:
        field = f"levels[{level.name}]"
        yield from _wrong_seconds(f"{field}.seconds", level, types)
        yield from _wrong_batches(f"{field}.batches", level.batches)
        if level.needs_start:
            yield from _wrong_start(f"{field}.needs_start", level, levels)


def _wrong_seconds(field: str, level: LevelProfile, types: set[str]) -> _Wrong:
    if types and not types & set(level.seconds):
        yield field, f"has none for any of {sorted(types)}"
    for gpu_type, seconds in level.seconds.items():
        yield from _out_of_range(f"{field}[{gpu_type}]", seconds, _TINIEST, _LARGEST)


def _wrong_batches(field: str, batches: Sequence[float]) -> _Wrong:
    if not batches or batches[0] != 1:
        yield field, "must begin with 1, one image alone"
        return
    for i, (smaller, larger) in enumerate(pairwise(batches), start=1):
        if not smaller - _BEYOND <= larger <= i + 1 + _BEYOND:  # NaN is refused with the rest
            yield field, f"of {i + 1} images must be {smaller:g} to {i + 1}, not {larger}"


def _wrong_start(field: str, level: LevelProfile, levels: Sequence[LevelProfile]) -> _Wrong:
    """A start that cannot be had is drawn from noise: by a level of the same variant."""
    whole = (le for le in levels if le.variant == level.variant and not le.needs_start)
    dearest = next(whole, None)
    if dearest is None:
        yield field, f"no level of {level.variant} draws from noise when the store is down"
    elif lacking := sorted(set(level.seconds) - set(dearest.seconds)):
        yield field, f"{dearest.name}, drawn when the store is down, has no seconds for {lacking}"


def _wrong_workers(scenario: Scenario) -> _Wrong:
    if not 1 <= len(scenario.workers) <= _WORKERS:
        yield "workers", f"must be 1 to {_WORKERS}, not {len(scenario.workers)}"
    known = {gpu_type for level in scenario.levels for gpu_type in level.seconds}
    if unknown := sorted(set(scenario.workers) - known):
        yield "workers", f"no level has seconds for {unknown}"


def _wrong_arrivals(scenario: Scenario) -> _Wrong:
    arrivals = scenario.arrivals
    if arrivals.ndim != 1 or not arrivals.size:
        yield "arrivals", f"must be a list of one or more, not of shape {arrivals.shape}"
        return
    yield from _beyond("arrivals", arrivals, 0, _LARGEST)
    falls = np.flatnonzero(np.diff(arrivals) < 0)
    if falls.size:
        yield "arrivals", f"must rise, and fall after entry {falls[0]}"


def _wrong_prompt_of(scenario: Scenario) -> _Wrong:
    prompt_of, arrivals = scenario.prompt_of, scenario.arrivals
    if prompt_of.shape != arrivals.shape:
        yield "prompt_of", f"is of shape {prompt_of.shape}, and arrivals of {arrivals.shape}"
    if not np.issubdtype(prompt_of.dtype, np.integer):
        yield "prompt_of", f"must be whole numbers, not {prompt_of.dtype}"
    else:
        yield from _beyond("prompt_of", prompt_of, 0, _count(scenario.prompts) - 1)


def _wrong_prompts(prompts: Prompts, levels: int) -> _Wrong:
    truth = prompts.truth
    count = _count(prompts)
    if truth.ndim != 2 or truth.shape[1] != levels or not count:
        yield "prompts.truth", f"must be prompts by {levels} levels, not of shape {truth.shape}"
    yield from _beyond("prompts.truth", truth, 0, 1)
    if prompts.predicted.shape != truth.shape:
        field = "prompts.predicted"
        yield field, f"is of shape {prompts.predicted.shape}, and truth of {truth.shape}"
    yield from _beyond("prompts.predicted", prompts.predicted, 0, 1)
    if prompts.similarity is not None:
        yield from _not_by_prompt("prompts.similarity", prompts.similarity, -1, count)
    for level, confidence in prompts.confidence.items():
        field = f"prompts.confidence[{level}]"
        yield from _not_whole(field, level, 0, levels - 1)
        yield from _not_by_prompt(field, confidence, 0, count)


def _count(prompts: Prompts) -> int:
    return len(prompts.truth) if prompts.truth.ndim else 0


def _not_by_prompt(field: str, values: Ints, least: float, prompts: int) -> _Wrong:
    if values.shape != (prompts,):
        yield field, f"must be one for each of {prompts} prompts, not of shape {values.shape}"
    yield from _beyond(field, values, least, 1)


def _wrong_switching(scenario: Scenario) -> _Wrong:
    known = {level.variant for level in scenario.levels}
    for variant, seconds in scenario.switch_seconds.items():
        field = f"switch_seconds[{variant}]"
        if variant not in known:
            yield field, "no level uses this variant"
        yield from _out_of_range(field, seconds, 0, _LARGEST)
    yield from _out_of_range("switching_share", scenario.switching_share, 0, 1)


def _wrong_store(store: Store) -> _Wrong:
    yield from _out_of_range("store.fetch_seconds", store.fetch_seconds, 0, _LARGEST)
    yield from _out_of_range("store.timeout", store.timeout, 0, _LARGEST)
    for i, outage in enumerate(store.outages):
        field = f"store.outages[{i}]"
        yield from _no_stretch(field, outage.start, outage.end)
        yield from _out_of_range(f"{field}.slowdown", outage.slowdown, 1, inf)


def _wrong_loop(scenario: Scenario) -> _Wrong:
    yield from _out_of_range("interval", scenario.interval, _TINIEST, _LARGEST)
    if scenario.arrivals.ndim == 1 and scenario.span > scenario.interval * _TURNS > 0:
        yield "interval", f"gives more than {_TURNS:,} turns of the control loop"
    yield from _out_of_range("delay", scenario.delay, 0, _LARGEST)


def _wrong_losses(losses: Sequence[Loss], workers: int) -> _Wrong:
    free_from: dict[int, float] = {}
    for i, loss in sorted(enumerate(losses), key=lambda pair: pair[1].start):
        field = f"losses[{i}]"
        wrong = [
            *_not_whole(f"{field}.worker", loss.worker, 0, workers - 1),
            *_no_stretch(field, loss.start, loss.end),
        ]
        yield from wrong
        if not wrong:
            if loss.start < free_from.get(loss.worker, 0.0):
                yield field, f"worker {loss.worker} is lost already"
            free_from[loss.worker] = loss.end


def _no_stretch(field: str, start: float, end: float) -> _Wrong:
    yield from _out_of_range(f"{field}.start", start, 0, _LARGEST)
    yield from _out_of_range(f"{field}.end", end, 0, _LARGEST)
    if start >= end:
        yield f"{field}.end", f"must be after its start, {start:g}, not {end:g}"


def _beyond(field: str, values: Ints, least: float, most: float) -> _Wrong:
    inside = (values >= least) & (values <= most)  # NaN compares false
    if not inside.all():
        at = np.unravel_index(int(np.argmin(inside)), values.shape)
        where = "][".join(str(int(i)) for i in at)
        yield field, f"must be {least:g} to {most:g}, and [{where}] is {values[at]}"


def _out_of_range(field: str, value: float, least: float, most: float) -> _Wrong:
    if not least <= value <= most:  # NaN compares false, and is refused with the rest
        yield field, f"must be {least:g} to {most:g}, not {value}"


def _not_whole(field: str, value: int, least: int, most: int | None) -> _Wrong:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        yield field, f"must be a whole number, not {value!r}"
    elif value < least or (most is not None and value > most):
        bound = "" if most is None else f" and at most {most}"
        yield field, f"must be at least {least}{bound}, not {value}"
