"""The rows and columns that the relaxed program and the integer program have in common.

Columns: y[l,c] share of all requests that level l serves on row c; n[c] workers; up[c] workers
that must switch to c; short[v] workers that variant v lacks of its minimum; missed, the share of
a burst that finds no room.
Rows: level l: its share, whatever makes it, equals the sum of its y (the makers are added by the
two programs); row c: sum of load x y <= n - lost x up; up[c] >= n[c] - held[c]; a pool's n
within its size; a variant's n within its limits; sum of reach x n + missed >= 1 where a burst is
expected. Everything is minimised: quality counts as cost
below 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np

from argus_core.planning.program import Floats, Ints, Program

INFINITE = highspy.kHighsInf
SHORTAGE = 100.0
"""Cost of a worker that a minimum lacks: above any gain in quality or shedding."""
_PER_SWITCH = 1e-4
"""Cost of switching all workers: between plans that are equal the one with fewer moves wins."""
_PER_WORKER = 1e-7
"""Cost of all workers in the last row: then the earlier rows win."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Skeleton:
    """Where the common rows and columns are in a model."""

    program: Program
    level_of: Ints
    """By y column: its level."""
    row_of: Ints
    """By y column: its row."""

    @property
    def levels(self) -> int:
        """How many; the level rows are the first."""
        return len(self.program.problem.levels)

    @property
    def rows(self) -> int:
        """How many; the capacity rows follow the level rows."""
        return len(self.program.rows)

    @property
    def n(self) -> Ints:
        """Columns of the workers."""
        return np.arange(self.rows) + len(self.level_of)

    @property
    def capacity(self) -> slice:
        """Rows of the capacities."""
        return slice(self.levels, self.levels + self.rows)


class _Quiet(highspy.Highs):
    """A solver without the callbacks, whose set-up prints a banner to standard output."""

    def __init__(self) -> None:
        super(highspy.Highs, self).__init__()


def new_solver() -> highspy.Highs:
    """A quiet solver that gives the same answer to the same question."""
    solver = _Quiet()
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("parallel", "off"),
        ("random_seed", 0),
    ):
        solver.setOptionValue(option, value)
    return solver


def build(solver: highspy.Highs, program: Program) -> Skeleton:
    """Lay the common rows and columns into an empty solver."""
    level_of, row_of = np.nonzero(np.isfinite(program.load))
    skeleton = Skeleton(program=program, level_of=level_of, row_of=row_of)
    _add_columns(solver, skeleton)
    _add_rows(solver, skeleton)
    return skeleton


def _add_columns(solver: highspy.Highs, skeleton: Skeleton) -> None:
    program, rows = skeleton.program, skeleton.rows
    rules = program.problem.rules
    y = len(skeleton.level_of)
    short = len(program.minimum)
    room = program.available[program.pool_of].astype(float)
    everyone = max(1, int(program.available.sum()))
    order = np.arange(rows) / max(1, rows - 1)
    lower = np.concatenate([np.zeros(y), program.pinned, np.zeros(rows + short + 1)])
    upper = np.concatenate([np.ones(y), room, room, np.full(short, INFINITE), [1.0]])
    cost = np.concatenate(
        [
            np.zeros(y),
            order * _PER_WORKER / everyone,
            np.full(rows, _PER_SWITCH / everyone),
            np.full(short, SHORTAGE),
            [rules.burst_chance * rules.shed_loss],
        ]
    )
    solver.addVars(len(lower), lower, upper)
    solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)


def _add_rows(solver: highspy.Highs, skeleton: Skeleton) -> None:
    program, rows = skeleton.program, skeleton.rows
    y = np.arange(len(skeleton.level_of))
    n, up = skeleton.n, skeleton.n + rows
    short = up[-1] + 1 + np.arange(len(program.minimum))
    load = program.load[skeleton.level_of, skeleton.row_of]
    add = RowWriter()
    for i in range(skeleton.levels):
        at = y[skeleton.level_of == i]
        add.row(0.0, 0.0, at, -np.ones(len(at)))
    for c in range(rows):
        at = y[skeleton.row_of == c]
        add.row(-INFINITE, 0.0, [*at, n[c], up[c]], [*load[at], -1.0, program.lost[c]])
    for c in range(rows):
        add.row(-INFINITE, float(program.held[c]), [n[c], up[c]], [1.0, -1.0])
    for g, size in enumerate(program.available):
        at = n[program.pool_of == g]
        add.row(-INFINITE, float(size), at, np.ones(len(at)))
    for v, holds in enumerate(program.holds):
        at = n[holds]
        add.row(float(program.minimum[v]), INFINITE, [*at, short[v]], np.ones(len(at) + 1))
        add.row(-INFINITE, float(program.maximum[v]), at, np.ones(len(at)))
    if program.reach.any():
        add.row(1.0, INFINITE, [*n, short[-1] + 1], [*program.reach, 1.0])
    add.into(solver)


class RowWriter:
    """Gathers rows, to be added in one go."""

    def __init__(self) -> None:
        self._lower: list[float] = []
        self._upper: list[float] = []
        self._starts: list[int] = []
        self._at: list[Ints] = []
        self._values: list[Floats] = []
        self._count = 0

    def row(
        self, lower: float, upper: float, at: Ints | list[int], values: Floats | list[float]
    ) -> None:
        """The sum of values x columns lies between the two bounds."""
        self._lower.append(lower)
        self._upper.append(upper)
        self._starts.append(self._count)
        self._at.append(np.asarray(at, dtype=np.int64))
        self._values.append(np.asarray(values, dtype=np.float64))
        self._count += len(self._at[-1])

    def into(self, solver: highspy.Highs) -> None:
        """Add all rows gathered; ValueError where a number is beyond what the solver takes."""
        status = solver.addRows(
            len(self._lower),
            np.array(self._lower),
            np.array(self._upper),
            self._count,
            np.array(self._starts, dtype=np.int32),
            np.concatenate(self._at).astype(np.int32),
            np.concatenate(self._values),
        )
        if status == highspy.HighsStatus.kError:
            raise ValueError("a row of the plan has a number that is not finite or too large")
