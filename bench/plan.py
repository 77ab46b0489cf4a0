"""Tell how long a plan takes, and how far from the optimum it is.

Random clusters: pools of different GPU types, variants that share memory with their kin, levels,
sampled prompts, a standing plan that is out of date and costs switches. Each is planned once, in
the time that the control loop allows; a few are planned again with much time, for comparison.

    python bench/plan.py --instances 200
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from argus_core.planning.decide import decide
from argus_core.planning.loadouts import Footprint, maximal_loadouts
from argus_core.planning.plan import Plan
from argus_core.planning.problem import Holding, LevelProfile, PlanProblem, PoolBudget, Rules

RESULTS = Path(__file__).parent / "results" / "plan.json"
GOAL = 0.5
"""Seconds."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How large a cluster is."""

    name: str
    gpus: int
    pools: int
    variants: int
    levels: int
    prompts: int


SHAPES = (
    Shape(name="large", gpus=1000, pools=4, variants=8, levels=20, prompts=200),
    Shape(name="small", gpus=16, pools=2, variants=4, levels=10, prompts=200),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one instance was planned."""

    seconds: float
    cpu_seconds: float
    rows: int
    """Loadouts over all pools: the integers of the program."""
    solver: str
    proven_gap: float
    """Quality that a better plan could have at most, by the planner's own proof."""
    long_gap: float | None
    """Quality that the long solve's plan has more."""
    long_bound_gap: float | None
    """Quality that any plan could have more, by the long solve's proof."""


def instance(shape: Shape, seed: int) -> PlanProblem:
    """A random cluster; the same seed gives the same."""
    rng = np.random.default_rng(seed)
    names = [f"v{i}" for i in range(shape.variants)]
    extra = rng.integers(0, shape.variants, shape.levels - shape.variants)
    owners = sorted([*range(shape.variants), *extra.tolist()])
    base = np.sort(np.exp(rng.uniform(np.log(0.3), np.log(15), shape.variants)))[::-1]
    seconds = base[owners] * rng.uniform(0.3, 1.0, shape.levels)
    speed = np.exp(rng.uniform(-1, 1, shape.pools)) * np.exp(
        rng.normal(0, 0.15, (shape.levels, shape.pools))
    )
    measured = seconds[:, None] * speed
    levels = tuple(
        LevelProfile(
            name=f"l{i}",
            variant=names[owner],
            seconds={f"type{g}": float(measured[i, g]) for g in range(shape.pools)},
        )
        for i, owner in enumerate(owners)
    )
    pools = tuple(_pools(rng, shape, names))
    return PlanProblem(
        rules=Rules(deadline=30.0),
        levels=levels,
        pools=pools,
        qualities=_qualities(rng, shape, seconds),
        rate=float(shape.gpus / measured.mean() * np.exp(rng.uniform(-1, 1.5))),
        burstiness=float(rng.uniform(1, 3)),
        standing=tuple(_standing(rng, pools)),
        switch_seconds={name: float(rng.uniform(5, 50)) for name in names},
    )


def _pools(rng: np.random.Generator, shape: Shape, names: list[str]) -> Iterator[PoolBudget]:
    sizes = rng.multinomial(shape.gpus, rng.dirichlet(3 * np.ones(shape.pools)))
    prints = [
        Footprint(variant=name, components={f"kin{i // 2}": 3, name: int(rng.integers(3, 10))})
        for i, name in enumerate(names)
    ]
    for g, size in enumerate(sizes):
        yield PoolBudget(
            name=f"pool{g}",
            gpu_type=f"type{g}",
            workers=int(size),
            loadouts=maximal_loadouts(prints, int(rng.integers(12, 30))),
        )


def _qualities(
    rng: np.random.Generator,
    shape: Shape,
    seconds: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
) -> list[list[float]]:
    """Dearer levels are better on the whole; prompts differ in how much they lose."""
    rank = (np.log(seconds) - np.log(seconds.min())) / np.ptp(np.log(seconds))
    loss = (1 - (0.55 + 0.43 * rank)) * 2 * rng.beta(2, 2, (shape.prompts, 1))
    noise = rng.normal(0, 0.05, (shape.prompts, shape.levels))
    found: list[list[float]] = np.clip(1 - loss + noise, 0, 1).tolist()
    return found


def _standing(rng: np.random.Generator, pools: tuple[PoolBudget, ...]) -> Iterator[Holding]:
    for pool in pools:
        count = len(pool.loadouts)
        shares = rng.multinomial(pool.workers, np.ones(count) / count)
        for loadout, workers in zip(pool.loadouts, shares, strict=True):
            yield Holding(pool=pool.name, loadout=loadout, workers=int(workers))


def measure(problem: PlanProblem, long_seconds: float | None) -> Outcome:
    """Plan once, and again with much time where that is asked for.

    A gain of any size is taken, so that the search is measured and not the hysteresis.
    """
    eager = replace(problem, rules=replace(problem.rules, minimum_gain=0.0))
    cpu = time.process_time()
    plan = decide(eager, clock=time.perf_counter)
    cpu = time.process_time() - cpu
    best = None if long_seconds is None else _long(eager, long_seconds)
    return Outcome(
        seconds=plan.seconds,
        cpu_seconds=cpu,
        rows=sum(len(pool.loadouts) for pool in problem.pools),
        solver=plan.solver.value,
        proven_gap=plan.gap or 0.0,
        long_gap=None if best is None else max(0.0, best.value - plan.value),
        long_bound_gap=None
        if best is None
        else max(0.0, best.value + (best.gap or 0.0) - plan.value),
    )


def _long(problem: PlanProblem, seconds: float) -> Plan:
    rules = replace(problem.rules, time_limit=seconds, gap=1e-6)
    return decide(replace(problem, rules=rules), clock=time.perf_counter)


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """Median and worst."""
    seconds = [o.seconds for o in outcomes]
    cpu = [o.cpu_seconds for o in outcomes]
    gaps = [o.proven_gap for o in outcomes]
    long_gaps = [o.long_gap for o in outcomes if o.long_gap is not None]
    bounds = [o.long_bound_gap for o in outcomes if o.long_bound_gap is not None]
    return {
        "instances": len(outcomes),
        "seconds_median": statistics.median(seconds),
        "seconds_worst": max(seconds),
        "cpu_seconds_median": statistics.median(cpu),
        "cpu_seconds_worst": max(cpu),
        "under_goal": sum(s < GOAL for s in seconds),
        "rows_median": statistics.median(o.rows for o in outcomes),
        "rows_most": max(o.rows for o in outcomes),
        "solvers": {s: sum(o.solver == s for o in outcomes) for s in {o.solver for o in outcomes}},
        "proven_gap_median": statistics.median(gaps),
        "proven_gap_worst": max(gaps),
        "long_solves": len(long_gaps),
        "long_gap_median": statistics.median(long_gaps) if long_gaps else None,
        "long_gap_worst": max(long_gaps, default=None),
        "long_bound_gap_worst": max(bounds, default=None),
    }


def machine() -> dict[str, object]:
    """What ran it."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if "model name" in line]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return {"cpu": model, "cores": len(_affinity())}


def _affinity() -> set[int]:
    import os  # noqa: PLC0415  # only here

    return set(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else {0}


def show(results: dict[str, dict[str, object]]) -> None:
    """A table of the figures."""
    table = Table(title=f"Plans (goal: under {GOAL} s)")
    table.add_column("figure")
    for name in results:
        table.add_column(name, justify="right")
    for key in next(iter(results.values())):
        cells = [results[name][key] for name in results]
        table.add_row(key, *[f"{c:.3g}" if isinstance(c, float) else str(c) for c in cells])
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a plan takes, and how good it is.")
    parser.add_argument("--instances", type=int, default=200, help="random clusters a shape")
    parser.add_argument("--long", type=int, default=10, help="of them solved again at length")
    parser.add_argument("--long-seconds", type=float, default=20.0, help="for each of those")
    parser.add_argument("--note", default="", help="goes into the results")
    asked = parser.parse_args()
    results, raw = {}, {}
    for shape in SHAPES:
        outcomes = [
            measure(instance(shape, seed), asked.long_seconds if seed < asked.long else None)
            for seed in track(range(asked.instances), description=shape.name)
        ]
        results[shape.name] = summary(outcomes)
        raw[shape.name] = [asdict(outcome) for outcome in outcomes]
    RESULTS.parent.mkdir(exist_ok=True)
    report = {
        "question": "how long does a plan take, and how far from the optimum is it?",
        "command": f"python bench/plan.py {' '.join(sys.argv[1:])}".strip(),
        "date": datetime.now(UTC).date().isoformat(),
        "note": asked.note,
        "versions": {
            "python": platform.python_version(),
            "highspy": version("highspy"),
            "numpy": np.__version__,
        },
        "machine": machine(),
        "goal_seconds": GOAL,
        "shapes": [asdict(shape) for shape in SHAPES],
        "results": results,
        "outcomes": raw,
    }
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    show(results)


if __name__ == "__main__":
    main()
