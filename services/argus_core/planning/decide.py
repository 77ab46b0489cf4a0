"""The decision: propose a plan, weigh it against the standing one, say why.

Pure: the same problem gives the same plan, as long as the clock allows the search the same time.
Of plans that are equal the one with fewer moves wins, then the one with more workers in earlier
pools and loadouts; within the gap of the rules, what the solver finds first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from argus_core.planning import workers as whole
from argus_core.planning.alternatives import weigh
from argus_core.planning.blend import Blender
from argus_core.planning.check import require_valid
from argus_core.planning.explain import (
    Verdict,
    describe,
    describe_unknown,
    reason_to_change,
    reason_to_hold,
)
from argus_core.planning.milp import Found, search
from argus_core.planning.plan import Plan, Solver
from argus_core.planning.problem import PlanProblem
from argus_core.planning.program import Ints, Program, compile_problem
from argus_core.planning.table import PlanTable, look_up

_BLEND_SHARE = 0.25
"""Of the gap asked for, left to the blend."""


def decide(
    problem: PlanProblem, *, clock: Callable[[], float], table: PlanTable | None = None
) -> Plan:
    """Decide what the workers shall hold.

    Args:
        problem: all that the decision rests on.
        clock: seconds, rising; bounds the search.
        table: plans made beforehand, for when the time is up.

    Raises:
        InvalidRequest: naming every field of the problem that is wrong.
    """
    started = clock()
    require_valid(problem)
    program = compile_problem(problem)
    if unknown := _unknown(problem):
        return _without_load(program, unknown, clock() - started)
    planner = _Planner(program, left=lambda: problem.rules.time_limit - (clock() - started))
    verdict = planner.judge(*planner.propose(table))
    return describe(
        verdict,
        alternatives=weigh(planner.blender, verdict, tolerance=planner.tolerance),
        seconds=clock() - started,
    )


@dataclass(frozen=True)
class _Planner:
    program: Program
    left: Callable[[], float]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blender", Blender(self.program))
