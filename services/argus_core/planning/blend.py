"""The relaxed program: how well given workers serve, exactly, by blending mixes.

Each request is one of m prompts, so the whole program would have m x y columns. Instead its
columns are mixes (see `mixes`), made on demand: solve the blend of those known, read the prices,
ask the prompts for their answer, add it, until no answer is worth more than the blend. What is
left over is a proven bound. One solver is kept, so that a question like the last is answered in
a few pivots; mixes found for one question serve the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import highspy
import numpy as np

from argus_core.planning.mixes import Answer, Prompts
from argus_core.planning.program import Floats, Ints, Program
from argus_core.planning.skeleton import INFINITE, RowWriter, build, new_solver

_GROUPS = 12
_ROUNDS = 200
"""Of questions to the prompts; a few dozen are usual."""
_SEEDS = 24


@dataclass(frozen=True, kw_only=True, eq=False)
class Blended:
    """How the best blend serves."""

    value: float
    """Mean quality over all requests, shedding at minus its loss."""
    score: float
    """What plans are compared by: the value, less what minimums lack and a trifle for moves."""
    bound: float
    """What no blend's score can exceed."""
    workers: Floats
    """C; whole where they were given."""
    served: Floats
    """L x C: share of all requests."""
    shed: float
    """Share of all requests."""
    row_price: Floats
    """C: gain in value per GPU more, at least 0."""


class Blender:
    """Answers questions about one program; holds the mixes found so far."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._solver = new_solver()
        self._skeleton = build(self._solver, program)
        self._prompts = Prompts(program.quality, groups=_GROUPS)
        self._group_rows = slice(
            self._solver.getNumRow(), self._solver.getNumRow() + self._prompts.groups
        )
        self._first_mix = self._solver.getNumCol()
        self._known: set[bytes] = set()
        self._sheds: list[float] = []
        self._values: list[float] = []
        self.answers: list[Answer] = []
        """All that were given to different prices, in order: bounds for the integer program."""
        groups = RowWriter()
        for _ in range(self._prompts.groups):
            groups.row(1.0, 1.0, [], [])
        groups.into(self._solver)
        for prices in _seeds(program):
            self._learn(self._prompts.answer(prices))

    def relaxed(self, *, tolerance: float, go_on: Callable[[], bool]) -> Blended:
        """The best blend over all numbers of workers, whole or not."""
        room = self.program.available[self.program.pool_of].astype(float)
        self._set_workers(self.program.pinned.astype(float), room)
        return self._converge(tolerance, go_on)

    def serve(
        self, workers: Ints, *, tolerance: float, go_on: Callable[[], bool] = lambda: True
    ) -> Blended:
        """The best blend for given workers, which must obey sizes and maximums."""
        self._set_workers(workers.astype(float), workers.astype(float))
        return self._converge(tolerance, go_on)

    def _set_workers(self, lower: Floats, upper: Floats) -> None:
        at = self._skeleton.n.astype(np.int32)
        self._solver.changeColsBounds(len(at), at, lower, upper)

    def _converge(self, tolerance: float, go_on: Callable[[], bool]) -> Blended:
        for _ in range(_ROUNDS):
            self._run()
            solution = self._solver.getSolution()
            score = -self._solver.getInfo().objective_function_value
            duals = -np.array(solution.row_dual)
            row_price = np.maximum(0.0, duals[self._skeleton.capacity])
            answer = self._prompts.answer(level_prices(self.program, row_price))
            # Our groups' duals are the worth of one group's blend; the answer must beat them all.
            excess = max(0.0, answer.gain - float(duals[self._group_rows].sum()))
            learned = self._learn(answer)
            if excess <= tolerance or not learned or not go_on():
                break
        return self._read(
            np.array(solution.col_value), row_price, score=score, bound=score + excess
        )

    def _run(self) -> None:
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._solver.clearSolver()  # a basis gone bad: begin anew
            self._solver.run()
        status = self._solver.getModelStatus()
        assert status == highspy.HighsModelStatus.kOptimal, f"a blend is always there: {status}"

    def _read(self, columns: Floats, row_price: Floats, *, score: float, bound: float) -> Blended:
        skeleton = self._skeleton
        theta = columns[self._first_mix :][: len(self._values)]
        served = np.zeros_like(self.program.load)
        served[skeleton.level_of, skeleton.row_of] = columns[: len(skeleton.level_of)]
        return Blended(
            value=float(theta @ np.array(self._values)[: len(theta)]),
            score=score,
            bound=bound,
            workers=columns[skeleton.n],
            served=np.maximum(0.0, served),
            shed=max(0.0, float(theta @ np.array(self._sheds)[: len(theta)])),
            row_price=row_price,
        )

    def _learn(self, answer: Answer) -> bool:
        """Add an answer's mixes; whether any is new. Its bound may be new where no mix is."""
        if self._is_new(b"prices " + answer.prices.tobytes()):
            self.answers.append(answer)
        new = [b for b in range(self._prompts.groups) if self._is_new(_key(answer, b))]
        if not new:
            return False
        starts: list[int] = []
        at: list[Ints] = []
        values: list[Floats] = []
        for b in new:
            levels = np.flatnonzero(answer.shares[b])
            starts.append(sum(len(a) for a in at))
            at.append(np.append(levels, self._group_rows.start + b))
            values.append(np.append(answer.shares[b, levels], 1.0))
        self._sheds += [float(answer.shed[b]) for b in new]
        self._values += [float(answer.quality[b]) for b in new]
        ones = np.ones(len(new))
        self._solver.addCols(
            len(new),
            -answer.quality[new],
            0 * ones,
            INFINITE * ones,
            sum(len(a) for a in at),
            np.array(starts, dtype=np.int32),
            np.concatenate(at).astype(np.int32),
            np.concatenate(values),
        )
        return True

    def _is_new(self, key: bytes) -> bool:
        if key in self._known:
            return False
        self._known.add(key)
        return True


def _key(answer: Answer, group: int) -> bytes:
    mix: bytes = answer.shares[group].tobytes() + answer.quality[group].tobytes()
    return b"mix %d " % group + mix


def level_prices(program: Program, row_price: Floats) -> Floats:
    """What serving all requests at each level costs, on the cheapest row; infinite if on none."""
    load = np.where(np.isfinite(program.load), program.load, 1.0)
    cost = np.where(np.isfinite(program.load), row_price * load, np.inf)
    return np.asarray(cost.min(axis=1, initial=np.inf))


def _seeds(program: Program) -> Iterator[Floats]:
    """Level prices to begin with: no price, one price for all GPUs from low to high, too much."""
    cheapest = program.load.min(axis=1, initial=np.inf)
    closed = np.where(np.isfinite(cheapest), 0.0, np.inf)
    dearest = 2.0 + program.problem.rules.shed_loss
    yield closed
    yield closed + dearest
    able = cheapest[np.isfinite(cheapest)]
    if len(able):
        for price in np.geomspace(1e-3 / able.max(), dearest / able.min(), _SEEDS):
            yield price * cheapest
