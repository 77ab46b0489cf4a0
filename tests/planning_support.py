"""Small planning problems, and a planner that is slow and surely right."""

from dataclasses import replace
from itertools import product

import numpy as np
from hypothesis import strategies as st
from scipy.optimize import linprog

from argus_core.planning.decide import decide
from argus_core.planning.problem import (
    Holding,
    LevelProfile,
    Limits,
    PlanProblem,
    PoolBudget,
    Rules,
)
from argus_core.planning.program import compile_problem
from argus_core.planning.skeleton import SHORTAGE
from argus_core.planning.workers import is_legal

TIE = 2e-4
"""What ties in favour of fewer moves may cost, and the gap."""


def plan_of(problem, **kwargs):
    """The plan, with a clock that stands still: the search is never cut short."""
    return decide(problem, clock=lambda: 0.0, **kwargs)


def two_levels(rate=1.0, workers=10, **changes):
    """`large` (4 s, quality 1) and `small` (1 s, quality 0.8) on one pool of one GPU type."""
    defaults = {
        "rules": Rules(deadline=60.0, minimum_gain=0.005, doubt=0.0, time_limit=60.0),
        "levels": (
            LevelProfile(name="large-20", variant="large", seconds={"h100": 4.0}),
            LevelProfile(name="small-4", variant="small", seconds={"h100": 1.0}),
        ),
        "pools": (
            PoolBudget(
                name="main",
                gpu_type="h100",
                workers=workers,
                loadouts=(("large",), ("small",)),
            ),
        ),
        "qualities": [[1.0, 0.8], [1.0, 0.9], [1.0, 0.7], [1.0, 0.8]],
        "rate": rate,
        "switch_seconds": {"large": 30.0, "small": 10.0},
    }
    return PlanProblem(**{**defaults, **changes})


def holding(plan):
    """What the workers hold once a plan is carried out."""
    return tuple(
        Holding(pool=a.pool, loadout=a.loadout, workers=a.workers) for a in plan.allocations
    )


def counts(plan):
    """Workers by pool and loadout."""
    return {(a.pool, a.loadout): a.workers for a in plan.allocations}


unit = st.floats(0, 1)


@st.composite
def problems(draw, *, workers=4, standing=True, limits=True, bursts=True):
    """Any small valid problem."""
    variants = [f"v{i}" for i in range(draw(st.integers(1, 3)))]
    pools = [f"g{i}" for i in range(draw(st.integers(1, 2)))]
    seconds = st.floats(0.1, 20)
    levels = tuple(
        LevelProfile(name=f"l{i}", variant=variant, seconds={pool: draw(seconds) for pool in pools})
        for i, variant in enumerate(
            variants + draw(st.lists(st.sampled_from(variants), max_size=2))
        )
    )
    sets = [tuple(v for v, on in zip(variants, bits, strict=True) if on)
            for bits in product((True, False), repeat=len(variants)) if any(bits)]  # fmt: skip
    budgets = tuple(_pool(draw, name, sets, workers, pinned=limits) for name in pools)
    held = _standing(draw, budgets, sets) if standing else ()
    return PlanProblem(
        rules=Rules(
            deadline=draw(st.floats(5, 60)),
            target=draw(st.sampled_from([0.9, 0.99])),
            minimum_gain=0.0,
            doubt=0.0,
            gap=1e-6,
            time_limit=60.0,
        ),
        levels=levels,
        pools=budgets,
        qualities=draw(
            st.lists(
                st.lists(unit, min_size=len(levels), max_size=len(levels)),
                min_size=1,
                max_size=5,
            )
        ),
        rate=draw(st.floats(0, 5)),
        burstiness=draw(st.floats(0, 4)),
        burst=draw(st.sampled_from([0.0, 0.3, 3.0, 30.0])) if bursts else 0.0,
        standing=held,
        switch_seconds={v: draw(st.floats(0, 400)) for v in variants},
        limits=_limits(draw, variants, budgets) if limits else {},
    )


def _pool(draw, name, sets, workers, *, pinned):
    size = draw(st.integers(0, workers))
    loadouts = tuple(draw(st.lists(st.sampled_from(sets), min_size=1, max_size=3, unique=True)))
    pins = {}
    if pinned and size and draw(st.booleans()):
        pins = {draw(st.sampled_from(loadouts)): draw(st.integers(0, size))}
    return PoolBudget(
        name=name,
        gpu_type=name,
        workers=size,
        unavailable=draw(st.integers(0, min(1, size))),
        loadouts=loadouts,
        pinned=pins,
    )


def _standing(draw, pools, sets):
    return tuple(
        Holding(
            pool=pool.name,
            loadout=draw(st.sampled_from(sets)),
            workers=draw(st.integers(0, pool.available)),
        )
        for pool in pools
        if draw(st.booleans())
    )


def _limits(draw, variants, pools):
    limits = {}
    for variant in variants:
        if draw(st.booleans()):
            pinned = sum(n for pool in pools for o, n in pool.pinned.items() if variant in o)
            most = draw(st.none() | st.integers(pinned, pinned + 4))
            least = draw(st.integers(0, 2 if most is None else min(2, most)))
            limits[variant] = Limits(minimum=least, maximum=most)
    return limits


def best_by_brute_force(problem):
    """The greatest score of all numbers of workers, each judged by the whole assignment."""
    program = compile_problem(problem)
    ranges = [
        range(int(program.pinned[c]), int(program.available[row.pool]) + 1)
        for c, row in enumerate(program.rows)
    ]
    sizes = [np.array(n) for n in product(*ranges)]
    fitting = [n for n in sizes if is_legal(program, n)]
    return max(value_of(program, n) - penalty(program, n) for n in fitting)


def score_of(problem, plan):
    """A plan's value, less what its minimums and the burst lack."""
    program, held = compile_problem(problem), counts(plan)
    names = [(problem.pools[row.pool].name, row.loadout) for row in program.rows]
    n = np.array([held.get(name, 0) for name in names])
    return plan.value - penalty(program, n)


def penalty(program, n):
    """What is charged for workers that minimums lack, and for a burst that finds no room."""
    rules = program.problem.rules
    short = np.maximum(0, program.minimum - program.holds @ n).sum()
    missed = max(0.0, 1 - program.reach @ n) if program.reach.any() else 0.0
    return SHORTAGE * short + rules.burst_chance * rules.shed_loss * missed


def value_of(program, n):
    """Mean quality, shed at its loss, with one column for each prompt, level and row."""
    quality, load = program.quality, program.load
    m, levels = len(quality), len(load)
    up = np.maximum(n - program.held, 0)
    capacity = n - program.lost * up
    cells = [(p, i, c) for p in range(m) for i in range(levels)
             for c in np.flatnonzero(np.isfinite(load[i]))]  # fmt: skip
    cost = [-quality[p, i] / m for p, i, _ in cells] + [-quality[p, -1] / m for p in range(m)]
    once = np.zeros((m, len(cost)))
    rows = np.zeros((len(n), len(cost)))
    for k, (p, i, c) in enumerate(cells):
        once[p, k] = 1
        rows[c, k] = load[i, c] / m
    once[:, len(cells) :] = np.eye(m)
    found = linprog(cost, A_ub=rows, b_ub=capacity, A_eq=once, b_eq=np.ones(m))
    assert found.status == 0, found.message
    return -found.fun


def scaled(problem, factor):
    """The same problem with time told in another unit."""
    rules = problem.rules
    return replace(
        problem,
        rules=replace(rules, deadline=rules.deadline * factor, horizon=rules.horizon * factor),
        levels=tuple(
            replace(level, seconds={g: s * factor for g, s in level.seconds.items()})
            for level in problem.levels
        ),
        rate=problem.rate / factor,
        burst=problem.burst / factor,
        switch_seconds={v: s * factor for v, s in problem.switch_seconds.items()},
    )
