"""What `argus simulate` and `argus compare` say: their tables, and the sentences below them."""

from __future__ import annotations

from argus_cli.simulate.comparison import Comparison, Run
from argus_cli.simulate.figures import COMPARED, FIGURES, VALUE, Figure
from argus_cli.simulate.page import Sheet
from argus_cli.simulate.scenario import Outline
from argus_cli.simulate.statistics import Interval, interval, paired
from argus_core.simulator.scenario import Scenario

BOUND = "bound"
"""What its row is called."""


def heading(scenario: Scenario) -> str:
    """What happens, in a line."""
    seconds = max(float(scenario.arrivals[-1]), 1e-9)
    kinds = dict.fromkeys(scenario.workers)
    gpus = ", ".join(f"{scenario.workers.count(kind)} x {kind}" for kind in kinds)
    rate = len(scenario.arrivals) / seconds
    return (
        f"{scenario.name}: {len(scenario.arrivals):,} requests in {_time(seconds)}, "
        f"{rate:.3g} a second, deadline {scenario.deadline:g} s, on {gpus}"
    )


def assumptions(outline: Outline) -> list[str]:
    """What was taken for granted because no option said otherwise."""
    said = []
    if outline.measured is None:
        said.append(
            "Prompts are made up around the ladder's qualities; --qualities takes measured ones."
        )
    if not outline.switch_seconds:
        said.append("Loading a variant is taken to cost nothing; --switch says what it costs.")
    return said


def run_sheet(run: Run) -> Sheet:
    """All figures of a run."""
    rows = [(figure.title, figure.write(figure.of(run.summary))) for figure in FIGURES]
    return Sheet(head=("figure", run.policy), rows=rows)


def comparison_sheet(comparison: Comparison) -> Sheet:
    """A row a policy, means with 95% intervals; the last column is paired by seed."""
    first = comparison.policies[0]
    head = ["policy", *(figure.short for figure in COMPARED), f"less {first}"]
    rows = [
        [
            name,
            *(figure.write_interval(_over(comparison, name, figure)) for figure in COMPARED),
            VALUE.write_interval(less(comparison, name), signed=True) if name != first else "",
        ]
        for name in comparison.policies
    ]
    if comparison.bounds:
        best = VALUE.write_interval(interval(comparison.bounds))
        at = 1 + COMPARED.index(VALUE)
        rows.append([BOUND, *(best if i == at else "" for i in range(1, len(head)))])
    return Sheet(head=head, rows=rows, notes=_notes(comparison))


def less(comparison: Comparison, policy: str) -> Interval | None:
    """A policy's value less the first one's, over the seeds."""
    first = comparison.policies[0]
    return paired(_values(comparison, policy, VALUE), _values(comparison, first, VALUE))


def verdict(comparison: Comparison) -> str:
    """How the first policy's value is to the others', where several seeds tell."""
    first, *others = comparison.policies
    found: dict[str, list[str]] = {"better than": [], "not told apart from": [], "worse than": []}
    for name in others:
        difference = less(comparison, name)
        if difference is None or not difference.clear:
            found["not told apart from"].append(name)
        else:
            found["better than" if difference.mean < 0 else "worse than"].append(name)
    told = "; ".join(f"{how} {', '.join(names)}" for how, names in found.items() if names)
    return f"By value, {first} is {told}."


def _notes(comparison: Comparison) -> list[str]:
    first = comparison.policies[0]
    notes = [
        "Quality is of what was in time. Value counts all requests, and 0 for those that were not.",
        f"The last column is the value less that of {first}, seed by seed.",
    ]
    if comparison.bounds:
        notes.append(f"No policy can beat the {BOUND}, even knowing all that will come.")
    if len(comparison.seeds) > 1:
        notes.append(f"± is the 95% interval of the mean over {len(comparison.seeds)} seeds.")
        notes += [verdict(comparison)] if len(comparison.policies) > 1 else []
    notes += [f"Left out: {name} ({reason})." for name, reason in comparison.unable.items()]
    return notes


def _over(comparison: Comparison, policy: str, figure: Figure) -> Interval | None:
    return interval(_values(comparison, policy, figure))


def _values(comparison: Comparison, policy: str, figure: Figure) -> list[float | None]:
    return [figure.of(run.summary) for run in comparison.of(policy)]


def _time(seconds: float) -> str:
    if seconds < 180:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 10_800 else f"{seconds / 3600:.1f} h"
