"""Refuses a problem that makes no sense, naming every field that is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import inf

from argus_core.errors import InvalidRequest, Violation
from argus_core.planning.problem import PlanProblem, PoolBudget, Rules

_LARGEST = 1e9
"""Of any number; more is a mistake, and ill-conditioned besides."""
_PROMPTS = 10_000
_LOADOUTS = 1_000


def require_valid(problem: PlanProblem) -> None:
    """Make sure that a problem can be planned.

    Raises:
        InvalidRequest: naming every field that is wrong.
    """
    violations = [Violation(field, why) for field, why in _wrong(problem)]
    if violations:
        raise InvalidRequest(violations)


def _wrong(problem: PlanProblem) -> Iterator[tuple[str, str]]:
    yield from _wrong_rules(problem.rules)
    yield from _out_of_range("rate", problem.rate, 0, _LARGEST)
    yield from _out_of_range("burst", problem.burst, 0, _LARGEST)
    yield from _out_of_range("burstiness", problem.burstiness, 0, 1e4)
    yield from _out_of_range("service_variation", problem.service_variation, 0, 1e4)
    yield from _out_of_range("load_age", problem.load_age, 0, inf)
    yield from _wrong_levels(problem)
    yield from _wrong_pools(problem)
    yield from _wrong_qualities(problem)
    yield from _wrong_variants(problem)
    yield from _wrong_standing(problem)


def _wrong_rules(rules: Rules) -> Iterator[tuple[str, str]]:
    yield from _out_of_range("rules.deadline", rules.deadline, 1e-9, _LARGEST)
    yield from _out_of_range("rules.target", rules.target, 1e-9, 1 - 1e-9)
    yield from _out_of_range("rules.horizon", rules.horizon, 1e-9, _LARGEST)
    yield from _out_of_range("rules.shed_loss", rules.shed_loss, 1 + 1e-9, 1e4)
    yield from _out_of_range("rules.minimum_gain", rules.minimum_gain, 0, 1e4)
    yield from _out_of_range("rules.doubt", rules.doubt, 0, 1e4)
    yield from _out_of_range("rules.burst_chance", rules.burst_chance, 0, 1)
    yield from _out_of_range("rules.stale_after", rules.stale_after, 0, inf)
    yield from _out_of_range("rules.gap", rules.gap, 0, 1)
    yield from _out_of_range("rules.time_limit", rules.time_limit, 0, _LARGEST)


def _wrong_levels(problem: PlanProblem) -> Iterator[tuple[str, str]]:
    if not problem.levels:
        yield "levels", "must not be empty"
    yield from _twins("levels", (level.name for level in problem.levels))
    types = dict.fromkeys(pool.gpu_type for pool in problem.pools)
    for level in problem.levels:
        for gpu_type in types:
            field = f"levels[{level.name}].seconds"
            if gpu_type not in level.seconds:
                yield field, f"has none for {gpu_type}"
            else:
                yield from _out_of_range(
                    f"{field}[{gpu_type}]", level.seconds[gpu_type], 1e-9, _LARGEST
                )


def _wrong_pools(problem: PlanProblem) -> Iterator[tuple[str, str]]:
    if not problem.pools:
        yield "pools", "must not be empty"
    yield from _twins("pools", (pool.name for pool in problem.pools))
    for pool in problem.pools:
        yield from _wrong_pool(pool, set(problem.variants))


def _wrong_pool(pool: PoolBudget, known: set[str]) -> Iterator[tuple[str, str]]:
    field = f"pools[{pool.name}]"
    yield from _not_whole(f"{field}.workers", pool.workers, 0, 100_000)
    yield from _not_whole(f"{field}.unavailable", pool.unavailable, 0, pool.workers)
    if not 1 <= len(pool.loadouts) <= _LOADOUTS:
        yield f"{field}.loadouts", f"must be 1 to {_LOADOUTS}"
    for loadout in pool.loadouts:
        yield from _wrong_loadout(f"{field}.loadouts", loadout, known)
    for loadout, workers in pool.pinned.items():
        yield from _wrong_loadout(f"{field}.pinned", loadout, known)
        yield from _not_whole(f"{field}.pinned[{'+'.join(loadout)}]", workers, 0, pool.workers)
    if sum(pool.pinned.values()) > pool.workers:
        yield f"{field}.pinned", f"adds up to more than the pool's {pool.workers} workers"


def _wrong_qualities(problem: PlanProblem) -> Iterator[tuple[str, str]]:
    if len(problem.qualities) > _PROMPTS:
        yield "qualities", f"must be at most {_PROMPTS} prompts"
        return
    for p, qualities in enumerate(problem.qualities):
        if len(qualities) != len(problem.levels):
            count = f"{len(qualities)} values for {len(problem.levels)} levels"
            yield f"qualities[{p}]", f"has {count}"
        elif not all(0 <= quality <= 1 for quality in qualities):
            yield f"qualities[{p}]", "must be 0 to 1"


def _wrong_variants(problem: PlanProblem) -> Iterator[tuple[str, str]]:
    known = set(problem.variants)
    for variant, seconds in problem.switch_seconds.items():
        if variant not in known:
            yield f"switch_seconds[{variant}]", "no level uses this variant"
        yield from _out_of_range(f"switch_seconds[{variant}]", seconds, 0, _LARGEST)
    for variant, limits in problem.limits.items():
        field = f"limits[{variant}]"
        if variant not in known:
            yield field, "no level uses this variant"
        most = limits.maximum
        yield from _not_whole(f"{field}.minimum", limits.minimum, 0, most)
        if most is not None:
            yield from _not_whole(f"{field}.maximum", most, 0, None)
            if (pinned := _pinned(problem, variant)) > most:
                yield f"{field}.maximum", f"is {most}, but {pinned} workers are pinned to it"


def _wrong_standing(problem: PlanProblem) -> Iterator[tuple[str, str]]:
    pools = {pool.name: pool for pool in problem.pools}
    held = dict.fromkeys(pools, 0)
    for i, holding in enumerate(problem.standing):
        field = f"standing[{i}]"
        yield from _wrong_loadout(f"{field}.loadout", holding.loadout, set(problem.variants))
        if holding.pool not in pools:
            yield f"{field}.pool", f"there is no pool {holding.pool!r}"
            continue
        wrong = list(_not_whole(f"{field}.workers", holding.workers, 0, None))
        yield from wrong
        held[holding.pool] += 0 if wrong else holding.workers
    for name, workers in held.items():
        if workers > pools[name].available:
            yield (
                "standing",
                f"has {workers} workers in {name}, which has {pools[name].available} available",
            )


def _wrong_loadout(
    field: str, loadout: tuple[str, ...], known: set[str]
) -> Iterator[tuple[str, str]]:
    if not loadout:
        yield field, "a loadout must hold a variant"
    if unknown := sorted(set(loadout) - known):
        yield field, f"no level uses {unknown}"
    if len(set(loadout)) < len(loadout):
        yield field, f"{'+'.join(loadout)} holds a variant twice"


def _pinned(problem: PlanProblem, variant: str) -> int:
    return sum(
        workers
        for pool in problem.pools
        for loadout, workers in pool.pinned.items()
        if variant in loadout
    )


def _out_of_range(field: str, value: float, least: float, most: float) -> Iterator[tuple[str, str]]:
    if not least <= value <= most:  # NaN compares false, and is refused with the rest
        yield field, f"must be {least:g} to {most:g}, not {value}"


def _not_whole(field: str, value: int, least: int, most: int | None) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool) or not isinstance(value, int):
        yield field, f"must be a whole number, not {value!r}"
    elif value < least or (most is not None and value > most):
        bound = "" if most is None else f" and at most {most}"
        yield field, f"must be at least {least}{bound}, not {value}"


def _twins(field: str, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    listed = list(names)
    if twins := sorted({name for name in listed if listed.count(name) > 1}):
        yield field, f"names must be unique, {twins} are not"
