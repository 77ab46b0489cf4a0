"""What the plans that were not taken would have cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from argus_core.planning.blend import Blender
from argus_core.planning.explain import Verdict
from argus_core.planning.moves import label, moves, told
from argus_core.planning.plan import Alternative, Solver
from argus_core.planning.program import Ints, Program
from argus_core.planning.skeleton import SHORTAGE
from argus_core.planning.workers import moved


def weigh(blender: Blender, verdict: Verdict, *, tolerance: float) -> tuple[Alternative, ...]:
    """The alternatives in a stated order, each with its cost; those that bounds forbid left out."""
    found = [*_standing_or_change(verdict), _best_level_only(verdict, tolerance)]
    for name, description, workers in _one_worker(verdict):
        other = blender.serve(workers, tolerance=tolerance)
        found.append(_stated(verdict, name, description, workers, other.score))
    return tuple(found)


def _stated(
    verdict: Verdict, name: str, description: str, workers: Ints, score: float
) -> Alternative:
    """An alternative's cost in quality; what it leaves below a minimum is said in words."""
    lacking = verdict.program.lacking(workers)
    left = verdict.program.lacking(verdict.taken.workers)
    fines = SHORTAGE * (sum(lacking.values()) - sum(left.values()))
    if short := [variant for variant in lacking if variant not in left]:
        description += f", which leaves {' and '.join(short)} below its minimum of workers"
    cost = verdict.taken.blended.score - score - fines
    return Alternative(name=name, description=description, cost=cost)


def _standing_or_change(verdict: Verdict) -> Iterator[Alternative]:
    score = verdict.taken.blended.score
    if verdict.solver is not Solver.HELD:
        if verdict.standing is not None:
            yield _stated(verdict, "hold", "keep what the workers hold", verdict.standing.workers,
                          verdict.standing.blended.score)  # fmt: skip
    elif change := told(moves(verdict.program, verdict.proposal.workers)):
        cost = score - verdict.proposal.blended.score
        yield Alternative(name="change", description=change, cost=cost)


def _best_level_only(verdict: Verdict, tolerance: float) -> Alternative:
    """Serving all at the level that is best on average, shedding what it cannot carry."""
    program = verdict.program
    able = np.isfinite(program.load).any(axis=1)
    means = np.where(able, program.quality[:, :-1].mean(axis=0), -1.0)
    best = int(means.argmax())
    alone = Blender(_restricted(program, best)).relaxed(tolerance=tolerance, go_on=lambda: True)
    return Alternative(
        name="best level only",
        description=f"serve all at {program.problem.levels[best].name} and shed the rest",
        cost=verdict.taken.blended.score - alone.score,
    )


def _restricted(program: Program, level: int) -> Program:
    load = np.full_like(program.load, np.inf)
    load[level] = program.load[level]
    return replace(program, load=load)


def _one_worker(verdict: Verdict) -> Iterator[tuple[str, str, Ints]]:
    """One worker fewer and one more on the largest move, or the likeliest move where none is."""
    program, workers = verdict.program, verdict.taken.workers
    pair = _largest_move(verdict) or _likeliest_move(verdict)
    if pair is None:
        return
    before, after = pair
    pool = program.problem.pools[program.rows[before].pool].name
    route = f"{label(program.rows[before].loadout)} to {label(program.rows[after].loadout)}"
    moving = workers[after] > program.held[after]
    if moving and (fewer := moved(program, workers, after, before)) is not None:
        yield "one worker fewer moved", f"one worker of {pool} fewer from {route}", fewer
    if (more := moved(program, workers, before, after)) is not None:
        yield "one worker more moved", f"one worker of {pool} more from {route}", more


def _largest_move(verdict: Verdict) -> tuple[int, int] | None:
    program = verdict.program
    switched = [m for m in moves(program, verdict.taken.workers) if m.before and m.after]
    if not switched:
        return None
    largest = max(switched, key=lambda move: move.workers)
    index = {
        (program.problem.pools[row.pool].name, row.loadout): c for c, row in enumerate(program.rows)
    }
    return index[largest.pool, largest.before], index[largest.pool, largest.after]


def _likeliest_move(verdict: Verdict) -> tuple[int, int] | None:
    """From the cheapest row that has workers to the dearest of its pool."""
    program, taken = verdict.program, verdict.taken
    worth = taken.blended.row_price
    pairs = [
        (worth[after] - worth[before], -before, -after)
        for before in np.flatnonzero(taken.workers > program.pinned)
        for after in np.flatnonzero(program.pool_of == program.pool_of[before])
        if after != before
    ]
    if not pairs:
        return None
    _, before, after = max(pairs)
    return int(-before), int(-after)
