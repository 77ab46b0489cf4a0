"""The decision: propose a plan, weigh it against the standing one, say why.

Pure: the same problem gives the same plan, as long as the clock allows the search the same time.
Of plans that are equal the one with fewer moves wins, then the one with more workers in earlier
pools and loadouts; within the gap of the rules, what the solver finds first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from argus_core.planning import workers as whole
from argus_core.planning.alternatives import weigh
from argus_core.planning.blend import Blender
from argus_core.planning.check import require_valid
from argus_core.planning.doubt import least_gain
from argus_core.planning.explain import Verdict, describe, describe_unknown
from argus_core.planning.milp import Found, search
from argus_core.planning.plan import Plan, Solver
from argus_core.planning.problem import PlanProblem
from argus_core.planning.program import Ints, compile_problem
from argus_core.planning.table import PlanTable, look_up

_BLEND_SHARE = 0.25
"""Of the gap asked for, left to the blend."""


def decide(
    problem: PlanProblem,
    *,
    clock: Callable[[], float],
    table: PlanTable | None = None,
    weighed: bool = True,
) -> Plan:
    """Decide what the workers shall hold.

    Args:
        problem: all that the decision rests on.
        clock: seconds, rising; bounds the search.
        table: plans made beforehand, for when the time is up.
        weighed: whether to tell what the alternatives would have cost; that takes half the time.

    Raises:
        InvalidRequest: naming every field of the problem that is wrong.
    """
    started = clock()
    require_valid(problem)
    program = compile_problem(problem)
    if unknown := _unknown(problem):
        standing = whole.held(program)
        solver = Solver.SPREAD if standing is None else Solver.HELD
        workers = whole.spread(program) if standing is None else standing
        workers = whole.filled(program, workers, np.zeros(len(workers)))
        return describe_unknown(program, workers, solver, unknown, clock() - started)
    rules, blender = problem.rules, Blender(program)
    proposal, solver = _propose(
        blender, table, lambda: rules.time_limit - (clock() - started), rules.gap
    )
    verdict = _judge(blender, proposal, solver)
    tolerance = rules.gap * _BLEND_SHARE
    alternatives = weigh(blender, verdict, tolerance=tolerance) if weighed else ()
    return describe(verdict, alternatives, clock() - started)


def _unknown(problem: PlanProblem) -> str:
    """Why the load is not known; empty where it is."""
    rules = problem.rules
    if problem.load_age > rules.stale_after:
        return (
            f"the load was last reported {problem.load_age:.4g} s ago, "
            f"and is not trusted after {rules.stale_after:.4g} s"
        )
    return "" if len(problem.qualities) else "no prompts were sampled"


def _propose(
    blender: Blender, table: PlanTable | None, left: Callable[[], float], gap: float
) -> tuple[Found, Solver]:
    """The best plan that the time allows, as if none were standing."""
    program, tolerance = blender.program, gap * _BLEND_SHARE
    relaxed = blender.relaxed(tolerance=tolerance, go_on=lambda: left() > 0)
    workers = whole.filled(program, whole.rounded(program, relaxed.workers), relaxed.row_price)
    best = Found(
        workers=workers,
        blended=blender.serve(workers, tolerance=tolerance),
        bound=relaxed.bound,
    )
    found, solved = search(blender, best, gap=gap, left=left)
    if solved or found.bound - found.blended.score <= gap:
        return found, Solver.MILP
    listed = None if table is None else look_up(table, program)
    if listed is not None:
        listed = whole.filled(program, listed, relaxed.row_price)
        blended = blender.serve(listed, tolerance=tolerance)
        if blended.score > found.blended.score:
            return Found(workers=listed, blended=blended, bound=found.bound), Solver.TABLE
    return found, Solver.ROUNDING


def _judge(blender: Blender, proposal: Found, solver: Solver) -> Verdict:
    """The proposal or the standing plan."""
    program = blender.program
    workers = whole.filled(program, proposal.workers, proposal.blended.row_price)
    proposal = _served(blender, workers, proposal.bound)
    held = whole.held(program)
    standing = None
    if held is not None:
        held = whole.filled(program, held, proposal.blended.row_price)
        standing = _served(blender, held, proposal.bound)
        gain = proposal.blended.score - standing.blended.score
        if gain < least_gain(program, standing, proposal) or (proposal.workers == held).all():
            return Verdict(
                program=program,
                taken=standing,
                solver=Solver.HELD,
                standing=standing,
                proposal=proposal,
            )
    return Verdict(
        program=program, taken=proposal, solver=solver, standing=standing, proposal=proposal
    )


def _served(blender: Blender, workers: Ints, bound: float) -> Found:
    tolerance = blender.program.problem.rules.gap * _BLEND_SHARE
    blended = blender.serve(workers, tolerance=tolerance)
    return Found(workers=workers, blended=blended, bound=bound)
