"""Puts a decision into words and plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from argus_core.planning.doubt import least_gain
from argus_core.planning.milp import Found
from argus_core.planning.moves import label, moves, told
from argus_core.planning.plan import Allocation, Alternative, Move, Plan, Serving, Solver
from argus_core.planning.program import Floats, Ints, Program

_NEGLIGIBLE = 1e-9
"""Share of the requests below which a level is not named."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """What is taken, and what it was weighed against."""

    program: Program
    taken: Found
    solver: Solver
    standing: Found | None
    """The standing plan; None where there is none, or it may not go on."""
    proposal: Found
    """The best plan found."""


def describe(verdict: Verdict, alternatives: Sequence[Alternative], seconds: float) -> Plan:
    """The plan as it is told."""
    program, taken = verdict.program, verdict.taken
    blended = taken.blended
    served = float(blended.served.sum())
    # Shed requests count as minus the loss in the value; what is left is quality.
    quality = blended.value + program.problem.rules.shed_loss * blended.shed
    switched = moves(program, taken.workers)
    return Plan(
        allocations=_allocations(program, taken),
        mix=_mix(program, blended.served),
        moves=switched,
        solver=verdict.solver,
        reason=_reason(verdict, switched),
        rate=program.problem.rate,
        value=blended.value,
        expected_quality=min(1.0, quality / served) if served > _NEGLIGIBLE else 0.0,
        expected_shed=min(1.0, blended.shed),
        switch_seconds=_switch_seconds(program, taken.workers),
        switch_charge=_switch_charge(program, taken),
        gap=max(0.0, taken.bound - blended.score),
        seconds=seconds,
        alternatives=tuple(alternatives),
    )


def describe_unknown(
    program: Program, workers: Ints, solver: Solver, unknown: str, seconds: float
) -> Plan:
    """A plan that rests on no load: what is expected of it is told as 0."""
    allocations = tuple(
        Allocation(
            pool=program.problem.pools[row.pool].name,
            loadout=row.loadout,
            workers=int(workers[c]),
            price=0.0,
            utilisation=0.0,
        )
        for c, row in enumerate(program.rows)
        if workers[c]
    )
    action = "holds the standing plan" if solver is Solver.HELD else "spreads the loadouts evenly"
    return Plan(
        allocations=allocations,
        mix=(),
        moves=moves(program, workers),
        solver=solver,
        reason=f"{action}: {unknown}",
        rate=program.problem.rate,
        value=0.0,
        expected_quality=0.0,
        expected_shed=0.0,
        switch_seconds=_switch_seconds(program, workers),
        switch_charge=0.0,
        gap=None,
        seconds=seconds,
        alternatives=(),
    )


def prices(program: Program, found: Found) -> Floats:
    """What a GPU second of work is worth on each row, in quality.

    A GPU more raises the mean quality by the row's dual, so a second of it is worth the dual
    times the rate. Work pays for the idle time that the SLO needs too.
    """
    busy = _busy(program, found.blended.served)
    reserved = np.where(found.blended.served > 0, program.load, 0.0) * found.blended.served
    bounds = np.where(np.isfinite(program.load), program.bound[:, program.pool_of], 0.0)
    usual = bounds.max(axis=0, initial=0.0)
    total = reserved.sum(axis=0)
    fill = np.where(total > _NEGLIGIBLE, busy / np.maximum(total, _NEGLIGIBLE), usual)
    worth = found.blended.row_price * program.problem.rate
    return np.asarray(np.where(fill > 0, worth / np.maximum(fill, 1e-12), 0.0))


def _busy(program: Program, served: Floats) -> Floats:
    """GPUs at work, by row."""
    types = [pool.gpu_type for pool in program.problem.pools]
    seconds = np.array([[level.seconds[t] for t in types] for level in program.problem.levels])
    work = program.problem.rate * seconds[:, program.pool_of] * served
    return np.asarray(work.sum(axis=0))


def _allocations(program: Program, found: Found) -> tuple[Allocation, ...]:
    busy, worth = _busy(program, found.blended.served), prices(program, found)
    return tuple(
        Allocation(
            pool=program.problem.pools[row.pool].name,
            loadout=row.loadout,
            workers=int(found.workers[c]),
            price=float(worth[c]),
            utilisation=min(1.0, float(busy[c] / found.workers[c])),
        )
        for c, row in enumerate(program.rows)
        if found.workers[c]
    )


def _mix(program: Program, served: Floats) -> tuple[Serving, ...]:
    return tuple(
        Serving(
            level=level.name,
            pool=program.problem.pools[row.pool].name,
            loadout=row.loadout,
            share=float(served[i, c]),
        )
        for i, level in enumerate(program.problem.levels)
        for c, row in enumerate(program.rows)
        if served[i, c] > _NEGLIGIBLE
    )


def _switch_seconds(program: Program, workers: Ints) -> float:
    return float(np.maximum(workers - program.held, 0) @ program.switch)


def _switch_charge(program: Program, found: Found) -> float:
    """The switching workers' lost share of the horizon, at the rows' duals."""
    lost = np.maximum(found.workers - program.held, 0) * program.lost
    return float(lost @ found.blended.row_price)


def _reason(verdict: Verdict, switched: Sequence[Move]) -> str:
    program = verdict.program
    if verdict.solver is Solver.HELD:
        text = _why_held(verdict)
    elif verdict.standing is None:
        before = (
            "no plan was standing"
            if not program.problem.standing
            else ("the standing plan breaks a bound")
        )
        text = f"{before}: {told(switched) or 'moves nothing'}"
    else:
        text = f"{told(switched)} because {_why_moved(verdict, switched)}"
    return "; ".join([text, *(note for note in _notes(verdict) if note not in text)])


def _why_held(verdict: Verdict) -> str:
    assert verdict.standing is not None
    wanted = told(moves(verdict.program, verdict.proposal.workers))
    gain = verdict.proposal.blended.score - verdict.standing.blended.score
    if not wanted or gain <= 0:
        return "holds the standing plan: no change was found to gain anything"
    least = least_gain(verdict.program, verdict.standing, verdict.proposal)
    return (
        f"holds the standing plan: the best change ({wanted}) would gain {gain:.4f}, "
        f"less than the {least:.4f} that a change must"
    )


def _why_moved(verdict: Verdict, switched: Sequence[Move]) -> str:
    assert verdict.standing is not None
    was, now = verdict.standing.blended, verdict.taken.blended
    change = (
        f"mean quality, with shedding at its loss, goes from {was.value:.3f} to {now.value:.3f}"
    )
    if was.shed > 0.0005 or now.shed > 0.0005:
        change += f" and the share shed from {was.shed:.1%} to {now.shed:.1%}"
    left = verdict.program.lacking(verdict.taken.workers)
    kept = [name for name in verdict.program.lacking(verdict.standing.workers) if name not in left]
    if kept:
        return f"{' and '.join(kept)} must have its minimum of workers; {change}"
    if room := _room_gained(verdict):
        return f"{room}; {change}"
    main = max(switched, key=lambda move: move.workers, default=None)
    if main is None or not main.before:
        return change
    worth = prices(verdict.program, verdict.standing)
    names = verdict.program.problem.pools
    by_row = {
        (names[row.pool].name, row.loadout): float(worth[c])
        for c, row in enumerate(verdict.program.rows)
    }
    after, before = (by_row.get((main.pool, held), 0.0) for held in (main.after, main.before))
    if after <= before:
        return change
    return (
        f"there a second of {label(main.after)} was worth {after:.3g} and one of "
        f"{label(main.before)} {before:.3g}; {change}"
    )


def _room_gained(verdict: Verdict) -> str:
    """What a change is worth in a burst, where that is most of what it gains; empty elsewhere."""
    assert verdict.standing is not None
    program, rules = verdict.program, verdict.program.problem.rules
    was, now = (program.room(found.workers) for found in (verdict.standing, verdict.taken))
    quality = verdict.taken.blended.value - verdict.standing.blended.value
    if rules.burst_chance * rules.shed_loss * (now - was) <= max(0.0, quality):
        return ""
    return f"{_finds_room(program, now)} instead of {was:.0%}"


def _finds_room(program: Program, share: float) -> str:
    burst = program.problem.burst
    return (
        f"a burst of {burst:.3g}, as there was lately, would find room for {share:.0%} of its "
        "requests"
    )


def _notes(verdict: Verdict) -> list[str]:
    program, taken, solver = verdict.program, verdict.taken, verdict.solver
    notes = []
    if solver in (Solver.TABLE, Solver.ROUNDING):
        limit = program.problem.rules.time_limit
        source = "a table" if solver is Solver.TABLE else "rounding the relaxed program"
        notes.append(f"the search did not end within {limit:g} s, so this comes from {source}")
    if taken.blended.shed > 0.0005:
        notes.append(f"{taken.blended.shed:.1%} of the requests cannot be served at any level")
    room = program.room(taken.workers)
    if room < 1 - 1e-9:
        notes.append(_finds_room(program, room))
    notes += [
        f"{name} is {count} below its minimum"
        for name, count in program.lacking(taken.workers).items()
    ]
    return notes
