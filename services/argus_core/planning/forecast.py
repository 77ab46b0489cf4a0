"""A short forecast from counts: level, trend where there surely is one, and the error of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, sqrt

_SURE = 2.5
"""Standard errors that a trend must have to be believed: a false one costs more than a late one."""
_MOST_GROWTH = 2.0
"""A trend is not followed beyond this many times the rate of now."""
_PRIOR_PAIRS = 3.0
"""Pairs' worth of belief in Poisson arrivals, before the spread seen is believed."""
_CALMER = 4.0
"""Burstiness lasts longer than a rate does, and takes more counts to see."""
_MOST_BURSTY = 1000.0


@dataclass(frozen=True, kw_only=True)
class Count:
    """Arrivals counted over a stretch of time."""

    age: float
    """From the middle of the stretch until now, 0 or more."""
    length: float
    """More than 0."""
    arrivals: float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What to expect."""

    rate: float
    """Now, per unit of time."""
    ahead: float
    """At the time asked for, 0 or more."""
    deviation: float
    """Standard deviation of the error of `ahead`."""
    burstiness: float
    """Index of dispersion of the counts; 1 is Poisson."""


def forecast(counts: Sequence[Count], *, ahead: float, half_life: float) -> Forecast | None:
    """Look `ahead` from counts, of which one `half_life` old counts for half.

    The trend is believed only where it is sure, and not without bound.
    Counts come newest first. None without counts.
    """
    if not counts:
        return None
    # Trends seldom go on for long: a damped one errs less (Gardner and McKenzie, 1985).
    damped = half_life * (1 - exp(-ahead / half_life))
    line, flat = _Fit(counts, half_life, sloped=True), _Fit(counts, half_life, sloped=False)
    burstiness = dispersion(counts, half_life=_CALMER * half_life)
    if abs(line.slope) > _SURE * line.slope_error(burstiness):
        now, later = max(0.0, line.at(0.0)), max(0.0, line.at(damped))
        return Forecast(
            rate=now,
            ahead=min(later, _MOST_GROWTH * max(now, flat.at(0.0))),
            deviation=line.error(ahead, burstiness),
            burstiness=burstiness,
        )
    rate = flat.at(0.0)
    return Forecast(
        rate=rate, ahead=rate, deviation=flat.error(ahead, burstiness), burstiness=burstiness
    )


def dispersion(counts: Sequence[Count], *, half_life: float) -> float:
    """Variance of the counts over their mean, drawn towards Poisson's 1 while few were seen.

    From the differences of neighbours, so that a trend or a step is not taken for burstiness.
    """
    belief, seen = _PRIOR_PAIRS, _PRIOR_PAIRS
    for newer, older in pairwise(counts):
        mean = (newer.arrivals + older.arrivals) / (newer.length + older.length)
        if mean > 0:
            recency = 0.5 ** (newer.age / half_life)
            step = newer.arrivals / newer.length - older.arrivals / older.length
            belief += recency
            seen += recency * step**2 / (mean * (1 / newer.length + 1 / older.length))
    return min(seen / belief, _MOST_BURSTY)


class _Fit:
    """A weighted line, or mean, through the counts' rates over time (now is 0, the past below)."""

    def __init__(self, counts: Sequence[Count], half_life: float, *, sloped: bool) -> None:
        self._counts = counts
        # By recency, and by length: a longer count is surer, in proportion.
        raw = [0.5 ** (count.age / half_life) * count.length for count in counts]
        self._weights = [w / sum(raw) for w in raw]
        self._rates = [count.arrivals / count.length for count in counts]
        self._middle = sum(-c.age * w for c, w in zip(counts, self._weights, strict=True))
        spread = sum(
            w * (-c.age - self._middle) ** 2 for c, w in zip(counts, self._weights, strict=True)
        )
        self._tilts = [
            w * (-c.age - self._middle) / spread if sloped and spread > 0 else 0.0
            for c, w in zip(counts, self._weights, strict=True)
        ]
        self.slope = sum(t * r for t, r in zip(self._tilts, self._rates, strict=True))

    def at(self, time: float) -> float:
        """The rate that the fit gives at a time."""
        return sum(s * r for s, r in zip(self._shares(time), self._rates, strict=True))

    def slope_error(self, burstiness: float) -> float:
        """Standard error of the slope."""
        return self._error(self._tilts, burstiness)

    def error(self, time: float, burstiness: float) -> float:
        """Standard error of `at`."""
        return self._error(self._shares(time), burstiness)

    def _shares(self, time: float) -> list[float]:
        reach = time - self._middle
        return [w + reach * t for w, t in zip(self._weights, self._tilts, strict=True)]

    def _error(self, shares: Sequence[float], burstiness: float) -> float:
        # Nothing seen is not proof of nothing to come: half an arrival stands in.
        length = sum(count.length for count in self._counts)
        mean = max(sum(c.arrivals for c in self._counts), 0.5) / length
        variances = (burstiness * mean / count.length for count in self._counts)
        return sqrt(sum(s * s * v for s, v in zip(shares, variances, strict=True)))
