"""Plans made beforehand for a range of rates: what serves when there is no time to solve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from argus_core.planning.plan import Plan
from argus_core.planning.program import Ints, Program
from argus_core.planning.workers import room
from argus_core.spread import Loadout


@dataclass(frozen=True, kw_only=True)
class PlanTable:
    """Workers by pool and loadout, by the rate that they were planned for; rates rise."""

    entries: tuple[tuple[float, Mapping[tuple[str, Loadout], int]], ...]


def tabulate(plans: list[Plan]) -> PlanTable:
    """The table of these plans."""
    ranked = sorted(plans, key=lambda plan: plan.rate)
    return PlanTable(
        entries=tuple(
            (plan.rate, {(a.pool, a.loadout): a.workers for a in plan.allocations})
            for plan in ranked
        )
    )


def look_up(table: PlanTable, program: Program) -> Ints | None:
    """The entry for the next higher rate, or else the highest; cut down to what the bounds allow.

    None where the table is empty.
    """
    if not table.entries:
        return None
    rate = program.problem.rate
    _, entry = next((e for e in table.entries if e[0] >= rate), table.entries[-1])
    workers = program.pinned.copy()
    for c, row in enumerate(program.rows):
        pool = program.problem.pools[row.pool].name
        wanted = entry.get((pool, row.loadout), 0) - int(workers[c])
        workers[c] += max(0, min(wanted, room(program, workers, c)))
    return np.asarray(workers)
