"""The integer program: which whole numbers of workers serve best.

Mean quality, as a function of the level shares z, is concave, and every answer of the prompts to
prices bounds it from above: quality <= sum of price x z + gain (see `mixes`). The integer
program knows it by those bounds alone, so it needs no prompts: it finds the workers that are best
by the bounds, the blend finds how well they truly serve, and its answers become new bounds. When
the two agree to the gap asked for, the plan is proven (Benders' decomposition).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import highspy
import numpy as np
import numpy.typing as npt

from argus_core.planning.blend import Blended, Blender
from argus_core.planning.mixes import Answer
from argus_core.planning.program import Ints, Program
from argus_core.planning.skeleton import INFINITE, RowWriter, Skeleton, build, new_solver

_ROUNDS = 30
_SHARE = 0.25
"""Of the gap asked for, left to each part that adds to it: the blend, the integer program."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """The best workers found."""

    workers: Ints
    blended: Blended
    bound: float
    """What no plan's score can exceed."""


class Master:
    """The integer program of one `Program`, which grows by bounds."""

    def __init__(self, program: Program) -> None:
        self._solver = new_solver()
        self._skeleton = build(self._solver, program)
        self._open = np.asarray(np.isfinite(program.load).any(axis=1))
        self._bounds = 0
        self._share, self._quality = _add_shares(self._solver, self._skeleton, self._open)
        at = self._skeleton.n.astype(np.int32)
        whole = np.full(len(at), int(highspy.HighsVarType.kInteger), dtype=np.uint8)
        self._solver.changeColsIntegrality(len(at), at, whole)

    def learn(self, answers: Sequence[Answer]) -> None:
        """Take over the bounds that are new since the last call."""
        add = RowWriter()
        levels = np.flatnonzero(self._open)
        for answer in answers[self._bounds :]:
            at = [self._quality, *(self._share + levels)]
            add.row(-INFINITE, answer.gain, at, [1.0, *-answer.prices[levels]])
        if len(answers) > self._bounds:
            add.into(self._solver)
            self._bounds = len(answers)

    def solve(self, *, gap: float, seconds: float, start: Ints) -> tuple[Ints, float] | None:
        """Workers and a bound on any plan's score; None where the time was too short."""
        solver, columns = self._solver, self._skeleton.n.astype(np.int32)
        solver.setOptionValue("mip_abs_gap", gap)
        solver.setOptionValue("mip_rel_gap", 0.0)
        solver.setOptionValue("time_limit", seconds)
        solver.setSolution(len(columns), columns, start.astype(float))
        solver.run()
        info = solver.getInfo()
        if info.primal_solution_status != _FEASIBLE:
            return None
        values = np.array(solver.getSolution().col_value)
        return np.rint(values[columns]).astype(np.int64), -info.mip_dual_bound


_FEASIBLE = int(highspy.SolutionStatus.kSolutionStatusFeasible)


def search(
    blender: Blender, start: Found, *, gap: float, left: Callable[[], float]
) -> tuple[Found, bool]:
    """Better `start` until no plan can be more than `gap` better, or no time is left.

    Returns:
        The best found, and whether the integer program was solved at least once.
    """
    master, best, solved = Master(blender.program), start, False
    for _ in range(_ROUNDS):
        if best.bound - best.blended.score <= gap or left() <= 0:
            break
        master.learn(blender.answers)
        found = master.solve(gap=gap * _SHARE, seconds=max(left(), 1e-3), start=best.workers)
        if found is None:
            break
        solved = True
        best, agreed = _judged(blender, best, *found, tolerance=gap * _SHARE)
        if agreed:
            break
    return best, solved


def _judged(
    blender: Blender, best: Found, workers: Ints, bound: float, *, tolerance: float
) -> tuple[Found, bool]:
    """The better of two, and whether the bounds have no more to learn."""
    known = len(blender.answers)
    blended = blender.serve(workers, tolerance=tolerance)
    bound = min(best.bound, bound)
    if blended.score > best.blended.score:
        best = Found(workers=workers, blended=blended, bound=bound)
    else:
        best = Found(workers=best.workers, blended=best.blended, bound=bound)
    return best, len(blender.answers) == known


def _add_shares(
    solver: highspy.Highs, skeleton: Skeleton, open_levels: npt.NDArray[np.bool_]
) -> tuple[int, int]:
    """Columns z of the level shares, and one for the mean quality; their first and its index."""
    first, levels = solver.getNumCol(), skeleton.levels
    solver.addVars(levels, np.zeros(levels), open_levels.astype(float))
    for i in range(levels):
        solver.changeCoeff(i, first + i, 1.0)
    loss = skeleton.program.problem.rules.shed_loss
    solver.addCol(-1.0, -loss, 1.0, 0, np.empty(0, np.int32), np.empty(0))
    return first, first + levels
