"""How many workers a load needs: the plan for every size of a pool that matters.

Every size is planned afresh, by the planner that the control loop asks, as if all workers stood
empty and loading were over. A control loop sheds a few requests where that lets the others be
drawn better; here a plan that sheds none goes before, where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite

from argus_core.planning.decide import decide
from argus_core.planning.plan import Plan
from argus_core.planning.problem import PlanProblem

MOST = 10_000
"""Workers of a pool; what a document allows."""
AROUND = 3
"""Sizes shown on either side of the one found."""
SHED = 1e-4
"""Share of requests that may be shed and still counts as none: the planner's own precision."""
SLACK = 1e-4
"""Of the quality asked for, for the same reason."""
_LOSS = 1e4
"""Of shedding, in quality: the most that the planner takes. Workers are whole, so a plan may gain
up to 1 / workers by shedding; at this loss it would have to be less than `SHED`."""
_TRIES = 40
"""Sizes planned in the search; doubling and halving need fewer."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What a pool of this many workers would do."""

    workers: int
    plan: Plan
    reaches: bool
    """Whether it sheds nothing and its mean quality is what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """The answer."""

    sizes: tuple[Size, ...]
    """By workers, rising; the sizes around the one found, or around the most that helps."""
    smallest: int | None
    """Workers that reach what was asked for, none fewer; None where no number does."""
    ceiling: float
    """Mean quality of unlimited workers: each prompt at its best level within the deadline."""
    slow: tuple[str, ...]
    """Levels that take longer than the deadline on every pool."""

    def of(self, workers: int) -> Size | None:
        """The size of so many workers, where it was planned."""
        return next((size for size in self.sizes if size.workers == workers), None)


def capacity(
    problem: PlanProblem,
    pool: str,
    *,
    quality: float,
    clock: Callable[[], float],
    workers: int | None = None,
) -> Capacity:
    """Find the smallest size of a pool that serves all at a mean quality.

    Args:
        problem: what is asked of the workers; other pools keep their size.
        pool: the one that is sized.
        quality: to be reached, 0 to 1.
        clock: seconds; bounds each plan's search.
        workers: a size to tell of besides.

    Raises:
        InvalidRequest: naming every field of the problem that is wrong.
    """
    search = _Search(problem, pool, quality, clock)
    ceiling, slow = _ceiling(problem)
    smallest = search.smallest() if ceiling >= quality - SLACK else None
    middle = smallest or (search.enough(ceiling) if ceiling > 0 else 1)
    shown = set(range(max(1, middle - AROUND), min(MOST, middle + AROUND) + 1))
    if workers is not None:
        shown |= {n for n in (workers - 1, workers, workers + 1) if 1 <= n <= MOST}
    sizes = tuple(search.size(n) for n in sorted(shown))
    return Capacity(sizes=sizes, smallest=smallest, ceiling=ceiling, slow=slow)


class _Search:
    """Plans sizes, each once."""

    def __init__(
        self, problem: PlanProblem, pool: str, quality: float, clock: Callable[[], float]
    ) -> None:
        self._problem, self._pool, self._clock = problem, pool, clock
        self._quality = quality
        self._sizes: dict[int, Size] = {}

    def size(self, workers: int) -> Size:
        """The plan of so many workers."""
        if workers not in self._sizes:
            pools = tuple(
                replace(p, workers=workers) if p.name == self._pool else p
                for p in self._problem.pools
            )
            plan = self._plan(replace(self._problem, pools=pools))
            self._sizes[workers] = Size(
                workers=workers, plan=plan, reaches=_reaches(plan, self._quality)
            )
        return self._sizes[workers]

    def _plan(self, problem: PlanProblem) -> Plan:
        plan = decide(problem, clock=self._clock)
        if plan.expected_shed <= SHED:
            return plan
        strict = replace(problem, rules=replace(problem.rules, shed_loss=_LOSS))
        spared = decide(strict, clock=self._clock)
        return spared if spared.expected_shed <= SHED else plan

    def smallest(self) -> int | None:
        """The fewest workers that reach the quality; more never reach less."""
        return self._first(lambda size: size.reaches)

    def enough(self, ceiling: float) -> int:
        """The fewest workers that come as near to the ceiling as any number does."""
        return self._first(lambda size: _reaches(size.plan, ceiling - 10 * SLACK)) or MOST

    def _first(self, holds: Callable[[Size], bool]) -> int | None:
        low, high = 0, self._guess()
        while not holds(self.size(high)):
            if high >= MOST:
                return None
            low, high = high, min(2 * high, MOST)
        for _ in range(_TRIES):
            if high - low <= 1:
                break
            middle = (low + high) // 2
            low, high = (low, middle) if holds(self.size(middle)) else (middle, high)
        return high

    def _guess(self) -> int:
        """Workers that the cheapest level would need at least."""
        problem = self._problem
        gpu_type = next(p.gpu_type for p in problem.pools if p.name == self._pool)
        cheapest = min(level.seconds[gpu_type] for level in problem.levels)
        needed = problem.rate * cheapest
        return min(MOST, max(1, ceil(needed))) if isfinite(needed) else MOST


def _reaches(plan: Plan, quality: float) -> bool:
    return plan.expected_shed <= SHED and plan.expected_quality >= quality - SLACK


def _ceiling(problem: PlanProblem) -> tuple[float, tuple[str, ...]]:
    """Mean over prompts of the best quality within the deadline, and the levels out of time."""
    types = {pool.gpu_type for pool in problem.pools if pool.workers}
    quick = [
        min(level.seconds[t] for t in types) < problem.rules.deadline for level in problem.levels
    ]
    slow = tuple(le.name for le, in_time in zip(problem.levels, quick, strict=True) if not in_time)
    best = [_best(qualities, quick) for qualities in problem.qualities]
    return sum(best) / len(best), slow


def _best(qualities: Sequence[float], quick: Sequence[bool]) -> float:
    return max((q for q, in_time in zip(qualities, quick, strict=True) if in_time), default=0.0)
