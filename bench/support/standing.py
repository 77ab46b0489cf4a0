"""Policies held to each other, and to the claims of the paper's abstract: plain arithmetic.

Means are over the seeds; differences are taken seed by seed. What is missing is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argus_cli.simulate.statistics import Interval, interval, paired
from support.results import Document, rounded
from support.views import WHOLE

OURS, PAPERS = "argus", "paper"
VIOLATIONS, GOODPUT = "violations", "in_time_per_minute"
QUALITY, VALUE = "quality_in_time", "value"
A_MINUTE = "violations_per_minute"
COMPARED = (VIOLATIONS, A_MINUTE, GOODPUT, QUALITY, VALUE)
"""Figures that are kept by seed."""

FEWER, BETTER, MORE = 10.0, 1.1, 1.4
"""The paper's abstract: so many times fewer violations, so many times the quality and throughput,
against baselines that it does not name with each."""
HELD: Mapping[str, Sequence[str]] = {
    VIOLATIONS: ("clipper-ha",),
    QUALITY: ("clipper-ht",),
    GOODPUT: ("clipper-ha", "nirvana", "sommelier"),
}
"""Against whom the claims hold by the paper's own plot of the bursts (notes in `support.paper`):
10.5 times fewer violations; 2.03, 1.65 and 1.45 times the throughput. In quality its plot shows
1.05 times at most, against Clipper-HT; 10 % holds against nobody there."""
Values = Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What all policies came to in a view of a part."""

    part: str
    view: str = WHOLE
    by_seed: Mapping[str, Mapping[str, Values]]
    """By policy, by figure."""
    bounds: Sequence[float] = ()
    """By seed; none where there are none."""

    def mean(self, policy: str, figure: str) -> float | None:
        """Over the seeds; None where it is missing."""
        found = interval(self.by_seed.get(policy, {}).get(figure, ()))
        return None if found is None else found.mean

    def less(self, policy: str, other: str, figure: str) -> Interval | None:
        """A policy's figure less another's, seed by seed; None where either is missing."""
        those, these = (self.by_seed.get(name, {}).get(figure) for name in (policy, other))
        return None if those is None or these is None else paired(those, these)

    @property
    def seeds(self) -> int:
        """How many."""
        return max((len(v) for found in self.by_seed.values() for v in found.values()), default=0)

    @property
    def baselines(self) -> list[str]:
        """All but ours."""
        return [name for name in self.by_seed if name != OURS]


@dataclass(frozen=True, kw_only=True)
class Against:
    """Ours held to one baseline, as the paper's abstract is told."""

    part: str
    view: str
    baseline: str
    ratio: float | None
    """The baseline's violations over ours; None where ours are none."""
    quality: float | None
    """Our mean quality of what was in time, over the baseline's."""
    throughput: float | None
    """Ours in time a minute, over the baseline's."""
    differences: Mapping[str, Interval | None]
    """Ours less the baseline's, by figure."""
    reached: Mapping[str, bool | None]
    """By figure: whether the claim holds; None for cannot be told, or nothing to win."""


def standing_of(part: Document, name: str, view: str) -> Standing:
    """As results have it."""
    policies = part["policies"].items()
    return Standing(
        part=name,
        view=view,
        by_seed={policy: found["views"][view]["by_seed"] for policy, found in policies},
        bounds=(part["bounds"] or ()) if view == WHOLE else (),
    )


def against(standing: Standing, baseline: str) -> Against:
    """Ours and a baseline."""
    worse, ours = standing.mean(baseline, VIOLATIONS), standing.mean(OURS, VIOLATIONS)
    quality = _over(standing.mean(OURS, QUALITY), standing.mean(baseline, QUALITY))
    throughput = _over(standing.mean(OURS, GOODPUT), standing.mean(baseline, GOODPUT))
    return Against(
        part=standing.part,
        view=standing.view,
        baseline=baseline,
        ratio=_over(worse, ours),
        quality=quality,
        throughput=throughput,
        differences={f: standing.less(OURS, baseline, f) for f in (VIOLATIONS, GOODPUT, QUALITY)},
        reached={
            VIOLATIONS: _fewer(worse, ours),
            QUALITY: None if quality is None else quality >= BETTER,
            GOODPUT: None if throughput is None else throughput >= MORE,
        },
    )


def _over(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else rounded(one / other)


def _fewer(worse: float | None, ours: float | None) -> bool | None:
    """None where nobody violates: there is nothing to win."""
    if worse is None or ours is None or worse == ours == 0:
        return None
    return worse >= FEWER * ours
