"""What `argus plan` says: the sizes as a table, the answer in words, or all of it as JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rich.table import Table

from argus_cli.simulate.capacity import Capacity, Size
from argus_core.planning.problem import PlanProblem

_NONE = 5e-4
"""Share shed that is told as nothing."""


def table(problem: PlanProblem, found: Capacity, pool: str) -> Table:
    """A row a size; the one found is marked, those that do not suffice are dim."""
    deadline = problem.rules.deadline
    shown = Table(
        "", "GPUs", "holding", "quality", "shed", "busy", "price",
        title=f"{problem.rate:g} images a second within {deadline:g} s, on pool {pool}",
    )  # fmt: skip
    for size in found.sizes:
        mark = size.workers == found.smallest
        plan = size.plan
        shown.add_row(
            "▶" if mark else "",
            str(size.workers),
            holding(size),
            f"{plan.expected_quality:.3f}" if plan.expected_shed < 1 else "-",
            f"{plan.expected_shed:.1%}",
            f"{_busy(size):.0%}",
            f"{_price(size):.3g}",
            style="bold green" if mark else "" if size.reaches else "dim",
        )
    return shown


def sentences(
    problem: PlanProblem, found: Capacity, pool: str, quality: float, workers: int | None
) -> list[str]:
    """The answer in words."""
    said = []
    if found.slow:
        slow = ", ".join(found.slow)
        said.append(f"Out of reach within {problem.rules.deadline:g} s: {slow}.")
    if found.smallest is None:
        said.append(_infeasible(problem, found, quality))
    else:
        said += _found(found, pool, quality)
    if workers is not None and workers != found.smallest:
        asked = found.of(workers)
        assert asked is not None, "the size asked for is always planned"
        said.append(f"{_gpus(workers)} would hold {holding(asked)}: {_told(asked)}.")
    if len(problem.qualities) == 1 and len(found.slow) < len(problem.levels):
        said.append(
            "All prompts count as the ladder's mean prompt; telling prompts apart can only gain."
        )
    return said


def as_json(problem: PlanProblem, found: Capacity, pool: str, quality: float) -> str:
    """All sizes, times in seconds."""
    answer: dict[str, Any] = {
        "rate": problem.rate,
        "deadline": problem.rules.deadline,
        "target": problem.rules.target,
        "burstiness": problem.burstiness,
        "quality": quality,
        "pool": pool,
        "smallest": found.smallest,
        "ceiling": found.ceiling,
        "out_of_reach": list(found.slow),
        "sizes": [_size(size) for size in found.sizes],
    }
    return json.dumps(answer, indent=2)


def holding(size: Size) -> str:
    """Who holds what, such as `3 x large, 1 x small`; over all pools."""
    held: Counter[str] = Counter()
    for allocation in size.plan.allocations:
        held["+".join(allocation.loadout)] += allocation.workers
    return ", ".join(f"{workers} x {loadout}" for loadout, workers in held.items())


def _infeasible(problem: PlanProblem, found: Capacity, quality: float) -> str:
    if len(found.slow) == len(problem.levels):
        return "No number of GPUs is enough: no level is as quick as the deadline."
    if found.ceiling < quality:
        return (
            f"No number of GPUs is enough: the best levels in time reach a mean quality of "
            f"{found.ceiling:.3f}, and {quality:g} is asked for."
        )
    return "No number of GPUs that a pool may have is enough."


def _found(found: Capacity, pool: str, quality: float) -> list[str]:
    smallest = found.smallest
    assert smallest is not None, "asked only where there is one"
    at = found.of(smallest)
    assert at is not None, "the smallest is always planned"
    reached = f"{at.plan.expected_quality:.3f} of {quality:g} asked for"
    answer = f"[bold]{_gpus(smallest)}[/] of {pool}, holding {holding(at)}"
    said = [f"{answer}: quality {reached}, nothing is shed."]
    for change, name in ((-1, "fewer"), (1, "more")):
        other = found.of(smallest + change)
        if other is not None:
            said.append(f"One GPU {name}: {_told(other)}.")
    return said


def _told(size: Size) -> str:
    plan = size.plan
    if plan.expected_shed >= 1:
        return "all are shed"
    shed = "nothing is shed" if plan.expected_shed < _NONE else f"{plan.expected_shed:.1%} are shed"
    return f"quality {plan.expected_quality:.3f} where served, {shed}"


def _gpus(count: int) -> str:
    return f"{count} GPU" if count == 1 else f"{count} GPUs"


def _busy(size: Size) -> float:
    """Share of the GPUs' time that is used."""
    allocations = size.plan.allocations
    workers = sum(a.workers for a in allocations)
    return sum(a.utilisation * a.workers for a in allocations) / workers if workers else 0.0


def _price(size: Size) -> float:
    """What one more GPU second would be worth where it is scarcest."""
    return max((a.price for a in size.plan.allocations), default=0.0)


def _size(size: Size) -> dict[str, Any]:
    return {
        "workers": size.workers,
        "reaches": size.reaches,
        "quality": size.plan.expected_quality,
        "shed": size.plan.expected_shed,
        "price": _price(size),
        "busy": _busy(size),
        "solver": str(size.plan.solver),
        "holding": [
            {
                "pool": a.pool,
                "loadout": list(a.loadout),
                "workers": a.workers,
                "price": a.price,
                "utilisation": a.utilisation,
            }
            for a in size.plan.allocations
        ],
    }
