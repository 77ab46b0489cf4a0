"""Whole numbers of workers by row: made from broken ones, filled up, held to their bounds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from argus_core.planning.program import Floats, Ints, Program


def rounded(program: Program, relaxed: Floats) -> Ints:
    """Whole workers near relaxed ones, within sizes, pins and maximums.

    The largest remainders are rounded up, earlier rows first among equals.
    """
    whole = np.maximum(np.floor(relaxed + 1e-6).astype(np.int64), program.pinned)
    order = np.argsort(whole - relaxed, kind="stable")
    short = [int(c) for c in order if whole[c] + 1e-6 < relaxed[c]]
    return _topped_up(program, whole, short)


def held(program: Program) -> Ints | None:
    """What the workers hold, with pins met; None where there is nothing, or bounds forbid it."""
    if not program.problem.standing:
        return None
    workers = np.maximum(program.held, program.pinned)
    return workers if is_legal(program, workers) else None


def is_legal(program: Program, workers: Ints) -> bool:
    """Whether sizes, pins and maximums are kept."""
    sizes = np.bincount(program.pool_of, weights=workers, minlength=len(program.available))
    return bool(
        (workers >= program.pinned).all()
        and (sizes <= program.available).all()
        and (program.holds @ workers <= program.maximum).all()
    )


def filled(program: Program, workers: Ints, worth: Floats) -> Ints:
    """All workers that are left over put to use.

    They keep what they hold, as far as the bounds allow; those that hold nothing take the row of
    the pool with the greatest `worth`, earlier rows first among equals.
    """
    whole = workers.copy()
    for c in range(len(whole)):
        while whole[c] < program.held[c] and room(program, whole, c) > 0:
            whole[c] += min(program.held[c] - whole[c], room(program, whole, c))
    for c in np.argsort(-worth, kind="stable"):
        whole[c] += room(program, whole, int(c))
    return whole


def room(program: Program, workers: Ints, row: int) -> int:
    """Workers that a row may have more; never below 0."""
    pool = program.pool_of[row]
    free = int(program.available[pool] - workers[program.pool_of == pool].sum())
    for v in np.flatnonzero(program.holds[:, row]):
        free = min(free, int(program.maximum[v] - workers[program.holds[v]].sum()))
    return max(0, free)


def moved(program: Program, workers: Ints, before: int, after: int) -> Ints | None:
    """One worker more in row `after` and one fewer in `before`; None where bounds forbid it."""
    whole = workers.copy()
    whole[before] -= 1
    whole[after] += 1
    return whole if is_legal(program, whole) else None


def spread(program: Program) -> Ints:
    """Even shares of every pool for its rows, within the bounds; earlier rows get the odd ones."""
    whole = program.pinned.copy()
    while True:
        ranked = sorted(range(len(whole)), key=lambda c: (whole[c], c))
        row = next((c for c in ranked if room(program, whole, c) > 0), None)
        if row is None:
            return whole
        whole[row] += 1


def _topped_up(program: Program, workers: Ints, order: Iterable[int]) -> Ints:
    whole = workers.copy()
    for c in order:
        if room(program, whole, c) > 0:
            whole[c] += 1
    return whole
