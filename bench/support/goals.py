"""What the experiments are judged by.

Judged are means over the seeds; whether a difference is clear of luck is told by its 95% interval.
A goal that cannot be judged, because a figure or a policy is missing, is neither met nor not met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from argus_cli.simulate.statistics import Interval, paired
from support.results import rounded
from support.standing import (
    GOODPUT,
    HELD,
    OURS,
    PAPERS,
    QUALITY,
    VALUE,
    VIOLATIONS,
    Against,
    Standing,
    against,
)

REGRET = 0.5
"""Of the paper's policy's regret: at most."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A goal, and whether it is met."""

    part: str
    view: str
    goal: str
    met: bool | None
    """None for cannot be told."""
    told: str
    """The numbers, in words."""
    numbers: Mapping[str, Any] = field(default_factory=dict)


def general(standing: Standing) -> list[Judged]:
    """The goals that hold in every setting, but for regret."""
    return [
        undominated(standing),
        *(claim(standing, f) for f in HELD if any(name in standing.by_seed for name in HELD[f])),
        beats_the_paper(standing),
    ]


def undominated(standing: Standing) -> Judged:
    """No baseline is as good in violations, throughput and quality, and better in one."""
    rivals = [name for name in standing.baselines if _dominates(standing, name)]
    known = standing.mean(OURS, VIOLATIONS) is not None and bool(standing.baselines)
    worst = max(rivals, key=lambda name: standing.mean(name, QUALITY) or 0.0, default="")
    told = f"{OURS}: {_three(standing, OURS)}"
    if rivals:
        told = f"{', '.join(rivals)}; {worst}: {_three(standing, worst)}; {told}"
    return _judged(
        standing,
        "no baseline dominates",
        met=not rivals if known else None,
        told=told if known else "figures are missing",
        dominated_by=rivals,
    )


def _dominates(standing: Standing, rival: str) -> bool:
    """Whether it is nowhere worse than ours, and better somewhere; not where a mean is missing."""
    ahead = []
    for figure, sign in ((VIOLATIONS, -1), (GOODPUT, 1), (QUALITY, 1)):
        theirs, ours = standing.mean(rival, figure), standing.mean(OURS, figure)
        if theirs is None or ours is None:
            return False
        ahead.append(sign * (theirs - ours))
    return min(ahead) >= 0 and max(ahead) > 0


def _three(standing: Standing, policy: str) -> str:
    means = (standing.mean(policy, figure) for figure in (VIOLATIONS, GOODPUT, QUALITY))
    violated, timely, quality = (float("nan") if mean is None else mean for mean in means)
    return f"{violated:.3%} violated, {timely:.1f} a minute in time, quality {quality:.4f}"


CLAIMS: Mapping[str, tuple[str, Callable[[Against], float | None], str]] = {
    VIOLATIONS: ("10x fewer violations", lambda found: found.ratio, "{:.3g} times"),
    QUALITY: ("10 % higher quality", lambda found: found.quality, "{:.3f} of its quality"),
    GOODPUT: ("40 % higher throughput", lambda found: found.throughput, "{:.2f} of its throughput"),
}
"""By figure: the claim, the number that it is about, and how that is written."""


def claim(standing: Standing, figure: str) -> Judged:
    """A claim of the abstract, against those that it holds against in the paper."""
    goal, number, form = CLAIMS[figure]
    held = [against(standing, name) for name in HELD[figure] if name in standing.by_seed]
    reached = {found.baseline: found.reached[figure] for found in held}
    said = (
        f"{found.baseline}: {_written(number(found), reached[found.baseline], form)}"
        for found in held
    )
    known = [met for met in reached.values() if met is not None]
    return _judged(
        standing,
        f"{goal} than {', '.join(reached) or ', '.join(HELD[figure])}",
        met=all(known) if known else None,
        told="; ".join(said) or "none of them was run",
        reached=reached,
    )


def _written(value: float | None, reached: bool | None, form: str) -> str:  # noqa: FBT001
    if value is not None:
        return form.format(value)
    return "nothing to tell" if reached is None else "we have none"


def beats_the_paper(standing: Standing) -> Judged:
    """Fewer violations than the paper's policy, unless neither has any, and higher quality."""
    violations = standing.less(OURS, PAPERS, VIOLATIONS)
    quality = standing.less(OURS, PAPERS, QUALITY)
    goal = "fewer violations and higher quality than the paper's policy"
    if violations is None or quality is None:
        return _judged(standing, goal, met=None, told="figures are missing")
    neither = standing.mean(OURS, VIOLATIONS) == standing.mean(PAPERS, VIOLATIONS) == 0
    return _judged(
        standing,
        goal,
        met=(violations.mean < 0 or neither) and quality.mean > 0,
        told=f"violations {signed(violations, 100, 3)} points, quality {signed(quality, 1, 4)}",
        clear={VIOLATIONS: violations.clear, QUALITY: quality.clear},
    )


def regret(standing: Standing) -> Judged:
    """What is short of the bound, at most half of what the paper's policy is."""
    ours, theirs = (_regret(standing, policy) for policy in (OURS, PAPERS))
    goal = "regret at most half of the paper's policy's"
    if ours is None or theirs is None:
        return _judged(standing, goal, met=None, told="figures are missing")
    told = f"{ours:.4f} of {theirs:.4f}" + (f", {ours / theirs:.2f} of it" if theirs > 0 else "")
    met = ours <= REGRET * theirs
    return _judged(standing, goal, met=met, told=told, ours=ours, theirs=theirs)


def _regret(standing: Standing, policy: str) -> float | None:
    values = standing.by_seed.get(policy, {}).get(VALUE)
    found = None if values is None else paired(standing.bounds, values)
    return None if found is None else rounded(found.mean)


def at_most(standing: Standing, figure: str, most: float, *, goal: str, form: str) -> Judged:
    """Our mean of a figure is no more than that; `form` writes it."""
    mean = standing.mean(OURS, figure)
    return _judged(
        standing,
        goal,
        met=None if mean is None else mean <= most,
        told="figures are missing" if mean is None else form.format(mean),
        mean=rounded(mean),
    )


def at_least(standing: Standing, figure: str, least: float, *, goal: str, form: str) -> Judged:
    """Our mean of a figure is no less than that; `form` writes it."""
    mean = standing.mean(OURS, figure)
    return _judged(
        standing,
        goal,
        met=None if mean is None else mean >= least,
        told="figures are missing" if mean is None else form.format(mean),
        mean=rounded(mean),
    )


def ahead(standing: Standing, figure: str, least: float, *, goal: str) -> Judged:
    """Our figure is by so much above that of the paper's policy."""
    found = standing.less(OURS, PAPERS, figure)
    return _judged(
        standing,
        goal,
        met=None if found is None else found.mean >= least,
        told="figures are missing" if found is None else signed(found, 1, 4),
        clear=found is not None and found.low is not None and found.low >= least,
    )


def signed(found: Interval, scale: float, digits: int) -> str:
    """A difference with half of its interval's width."""
    half = "" if found.half is None else f" ±{scale * found.half:.{digits}f}"
    return f"{scale * found.mean:+.{digits}f}{half}"


def _judged(
    standing: Standing, goal: str, *, met: bool | None, told: str, **numbers: Any
) -> Judged:
    return Judged(
        part=standing.part, view=standing.view, goal=goal, met=met, told=told, numbers=numbers
    )
