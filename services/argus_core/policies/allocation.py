"""How many workers serve each level: the paper's allocation, which is Proteus's too.

Choose a level for each worker and a load for each, so that the loads add up to the demand, none
exceeds its worker's pace, and the load-weighted quality is greatest. Workers of a GPU type are
alike, so whole numbers by level and type say it all; for given numbers the best loads fill the
better levels first. Rates are in images a second.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import highspy
import numpy as np

from argus_core.planning.skeleton import INFINITE, RowWriter, new_solver
from argus_core.policies.pace import Paces

Cell: TypeAlias = tuple[int, str]
"""A level on a GPU type."""

Counts: TypeAlias = Mapping[Cell, int]
"""Workers by cell, where there are any."""

SPARE = 1e-3
"""Quality's worth of a worker whose pace nobody needs, against one that is needed: spare workers
stand at good levels, at no more than this much quality."""

_LEAST = 1e-3
"""Share of what can be carried: a smaller demand asks for the same, and spoils the figures."""

_GRAIN = 200
"""Demands are told apart to one part in this many."""
_KEPT = 4096
"""Answers remembered."""


class Allocator:
    """Solves the same programs again and again, and remembers their answers."""

    def __init__(self, paces: Paces, qualities: Sequence[float]) -> None:
        self._paces, self._qualities = paces, qualities
        self._known: dict[object, dict[Cell, int]] = {}

    def counts(
        self,
        demand: float,
        available: Mapping[str, int],
        *,
        levels: Collection[int],
        keep: Collection[int] = (),
    ) -> Counts:
        """The best numbers of workers, for a demand rounded up by half a per cent at most.

        Args:
            demand: images a second; lowered to the greatest that can be carried.
            available: workers by GPU type.
            levels: those that may be served.
            keep: of them, those of which at least one must be, together.
        """
        demand = _rounded_up(demand)
        key = (demand, *sorted(available.items()), 0, *levels, -1, *keep)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self.solve(demand, available, levels=levels, keep=keep)
        return self._known[key]

    def solve(
        self,
        demand: float,
        available: Mapping[str, int],
        *,
        levels: Collection[int],
        keep: Collection[int] = (),
    ) -> dict[Cell, int]:
        """As `counts`, for the very demand."""
        cells = [
            (level, gpu)
            for gpu, count in available.items()
            for level in sorted(levels)
            if count and self._paces[gpu][level] > 0
        ]
        kept = [i for i, (level, _) in enumerate(cells) if level in keep]
        if not cells:
            return {}
        most = self._most(cells, available, kept)
        demand = min(max(demand, _LEAST * most), most)
        numbers = self._program(cells, demand, available, kept)
        return {cell: n for cell, n in zip(cells, numbers, strict=True) if n}

    def _most(
        self, cells: Sequence[Cell], available: Mapping[str, int], kept: Sequence[int]
    ) -> float:
        """The greatest demand that can be carried, with a hair's breadth to spare."""
        best: dict[str, float] = {}
        for level, gpu in cells:
            best[gpu] = max(best.get(gpu, 0.0), self._paces[gpu][level])
        most = sum(available[gpu] * pace for gpu, pace in best.items())
        given_up = [best[gpu] - self._paces[gpu][level] for level, gpu in (cells[i] for i in kept)]
        return (most - min(given_up, default=0.0)) * (1 - 1e-7)

    def _program(
        self,
        cells: Sequence[Cell],
        demand: float,
        available: Mapping[str, int],
        kept: Sequence[int],
    ) -> list[int]:
        """Columns: a share of the demand by cell, then workers by cell."""
        solver, size = new_solver(), len(cells)
        worth = np.array([self._qualities[level] for level, _ in cells])
        workers = sum(available.values())
        share, number = np.arange(size), size + np.arange(size)
        most = [float(available[gpu]) for _, gpu in cells]
        solver.addVars(2 * size, np.zeros(2 * size), np.array([1.0] * size + most))
        cost = np.concatenate([-worth, -worth * SPARE / workers])
        solver.changeColsCost(2 * size, np.arange(2 * size, dtype=np.int32), cost)
        whole = np.full(size, int(highspy.HighsVarType.kInteger), dtype=np.uint8)
        solver.changeColsIntegrality(size, number.astype(np.int32), whole)
        add = RowWriter()
        add.row(1.0, 1.0, share, np.ones(size))
        for i, (level, gpu) in enumerate(cells):
            carried = self._paces[gpu][level] / demand
            add.row(-INFINITE, 0.0, [share[i], number[i]], [1.0, -carried])
        for gpu, count in available.items():
            at = [number[i] for i, (_, of) in enumerate(cells) if of == gpu]
            if at:
                add.row(float(count), float(count), at, [1.0] * len(at))
        if kept:
            add.row(1.0, INFINITE, [number[i] for i in kept], [1.0] * len(kept))
        add.into(solver)
        solver.run()
        values = np.array(solver.getSolution().col_value)
        return [int(n) for n in np.rint(values[number])]


def fill(capacity: Sequence[float], qualities: Sequence[float], demand: float) -> list[float]:
    """The best loads by level: better levels are filled first.

    Where all capacity together is below the demand, all of it.
    """
    loads, left = [0.0] * len(capacity), demand
    for level in sorted(range(len(capacity)), key=lambda i: (-qualities[i], i)):
        loads[level] = min(left, capacity[level])
        left -= loads[level]
    return loads


def _rounded_up(demand: float) -> float:
    """To the next of a geometric row of demands."""
    if demand <= 0:
        return 0.0
    steps = np.ceil(np.log(demand) * _GRAIN - 1e-9)
    return float(np.exp(steps / _GRAIN))
