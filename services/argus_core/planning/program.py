"""A problem as arrays: what the solver's two programs share.

Notation: L levels, C rows (a loadout of a pool each), m prompts, V variants. Loads are GPUs: how
many a row needs if a level serves all requests there, at the utilisation that the SLO can bear.
All workers count as one group for that bound, since the router moves a prompt to another
variant when a queue is long: a queue never stands at one variant while another's workers idle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from argus_core.planning.problem import Limits, PlanProblem, PoolBudget
from argus_core.planning.queueing import utilisation_bound
from argus_core.spread import Loadout

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

_HOPELESS = 1e5
"""A level that needs this many times all workers serves nobody; its figures spoil the solver's."""

_AMPLE = 1e4
"""Times the burst that a worker carries: more is no better, and spoils the solver's figures."""

_LEAST = 1e-3
"""GPUs of any load: however little comes, a row without workers serves nobody."""


@dataclass(frozen=True)
class Row:
    """A loadout that a pool's workers may hold."""

    pool: int
    loadout: Loadout


@dataclass(frozen=True, kw_only=True, eq=False)
class Program:
    """Arrays; never written to."""

    problem: PlanProblem
    rows: tuple[Row, ...]
    quality: Floats
    """m x (L + 1); the last column is shedding, at minus its loss."""
    bound: Floats
    """L x pools: utilisation that the SLO can bear; 0 where the level is too slow for it."""
    load: Floats
    """L x C: GPUs for all requests; infinite where the row cannot serve the level."""
    reach: Floats
    """C: share of the burst that a worker carries at its quickest level; all 0 without a burst."""
    available: Ints
    """Workers, by pool."""
    pool_of: Ints
    """By row."""
    pinned: Ints
    """Workers, by row."""
    held: Ints
    """Workers that hold the row's loadout now."""
    lost: Floats
    """Share of the horizon that a worker loses by switching to the row, 0 to 1."""
    switch: Floats
    """GPU time that a worker loses by switching to the row."""
    holds: npt.NDArray[np.bool_]
    """V x C."""
    minimum: Ints
    """Workers, by variant."""
    maximum: Ints
    """Workers, by variant; all there are where there is no bound."""

    def room(self, workers: Ints) -> float:
        """Share of the burst that workers could carry at their quickest levels; 1 without one."""
        return min(1.0, float(self.reach @ workers)) if self.reach.any() else 1.0

    def lacking(self, workers: Ints) -> dict[str, int]:
        """Workers that variants would lack of their minimum, those alone that would."""
        found = {
            name: int(self.minimum[v] - workers[self.holds[v]].sum())
            for v, name in enumerate(self.problem.variants)
        }
        return {name: count for name, count in found.items() if count > 0}


def compile_problem(problem: PlanProblem) -> Program:
    """The arrays of a valid problem."""
    rows = tuple(
        Row(g, loadout)
        for g, pool in enumerate(problem.pools)
        for loadout in _loadouts(problem, pool)
    )
    available = np.array([pool.available for pool in problem.pools], dtype=np.int64)
    bound = _bounds(problem, int(available.sum()))
    limits = [problem.limits.get(v, Limits()) for v in problem.variants]
    everyone = int(available.sum())
    switch = np.array([_switch_seconds(problem, row) for row in rows])
    units = _units(problem, rows, bound)
    return Program(
        problem=problem,
        rows=rows,
        quality=_qualities(problem),
        bound=bound,
        load=_loads(problem, units, everyone),
        reach=_reach(problem, units),
        available=available,
        pool_of=np.array([row.pool for row in rows], dtype=np.int64),
        pinned=_pinned(problem, rows),
        held=_held(problem, rows),
        lost=np.minimum(1.0, switch / problem.rules.horizon),
        switch=switch,
        holds=np.array([[v in row.loadout for row in rows] for v in problem.variants]),
        minimum=np.array([limit.minimum for limit in limits], dtype=np.int64),
        maximum=np.array(
            [everyone if limit.maximum is None else limit.maximum for limit in limits],
            dtype=np.int64,
        ),
    )


def canonical(problem: PlanProblem, loadout: Loadout) -> Loadout:
    """A loadout with its variants in the ladder's order, as all of a program's are."""
    return tuple(v for v in problem.variants if v in loadout)


def _loadouts(problem: PlanProblem, pool: PoolBudget) -> list[Loadout]:
    """What a worker may hold: as the pool says, what is pinned, and what is held already."""
    held = [h.loadout for h in problem.standing if h.pool == pool.name and h.workers]
    every = [*pool.loadouts, *pool.pinned, *held]
    return list(dict.fromkeys(canonical(problem, loadout) for loadout in every))


def _qualities(problem: PlanProblem) -> Floats:
    given = np.array(problem.qualities, dtype=np.float64)
    given = given.reshape(len(problem.qualities), len(problem.levels))
    shed = np.full((len(given), 1), -problem.rules.shed_loss)
    return np.hstack([given, shed])


def _bounds(problem: PlanProblem, everyone: int) -> Floats:
    def bound(seconds: float) -> float:
        return utilisation_bound(
            max(1, everyone),
            seconds,
            deadline=problem.rules.deadline,
            target=problem.rules.target,
            arrival_variation=problem.burstiness,
            service_variation=problem.service_variation,
        )

    return np.array(
        [[bound(lv.seconds[pool.gpu_type]) for pool in problem.pools] for lv in problem.levels]
    )


def _units(problem: PlanProblem, rows: tuple[Row, ...], bound: Floats) -> Floats:
    """L x C: GPUs for one image per unit of time; infinite where the row cannot serve the level."""
    units = np.full((len(problem.levels), len(rows)), np.inf)
    for i, level in enumerate(problem.levels):
        for c, row in enumerate(rows):
            share = bound[i, row.pool]
            if level.variant in row.loadout and share > 0:
                units[i, c] = level.seconds[problem.pools[row.pool].gpu_type] / share
    return units


def _loads(problem: PlanProblem, units: Floats, everyone: int) -> Floats:
    if not problem.rate:
        return np.where(np.isfinite(units), _LEAST, np.inf)
    load = np.maximum(problem.rate * units, _LEAST)
    load[load > _HOPELESS * max(1, everyone)] = np.inf
    return load


def _reach(problem: PlanProblem, units: Floats) -> Floats:
    if not problem.burst:
        return np.zeros(units.shape[1])
    return np.asarray(np.minimum(_AMPLE, 1 / (problem.burst * units.min(axis=0, initial=np.inf))))


def _switch_seconds(problem: PlanProblem, row: Row) -> float:
    # All of the loadout counts, even where a worker holds part of it already: an upper bound.
    return sum(problem.switch_seconds.get(variant, 0.0) for variant in row.loadout)


def _held(problem: PlanProblem, rows: tuple[Row, ...]) -> Ints:
    held = np.zeros(len(rows), dtype=np.int64)
    index = {(problem.pools[r.pool].name, r.loadout): c for c, r in enumerate(rows)}
    for holding in problem.standing:
        if holding.workers:
            held[index[holding.pool, canonical(problem, holding.loadout)]] += holding.workers
    return held


def _pinned(problem: PlanProblem, rows: tuple[Row, ...]) -> Ints:
    """Pinned workers by row; where too few are available, later rows go short."""
    left = [pool.available for pool in problem.pools]
    pinned = np.zeros(len(rows), dtype=np.int64)
    for c, row in enumerate(rows):
        wanted = problem.pools[row.pool].pinned
        asked = sum(n for o, n in wanted.items() if canonical(problem, o) == row.loadout)
        pinned[c] = min(asked, left[row.pool])
        left[row.pool] -= int(pinned[c])
    return pinned
