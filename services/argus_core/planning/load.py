"""The load, from what the routers report: rate, burstiness, mix of prompts, forecast.

Model: time is covered by the routers' windows. A router's window counts once, whenever it comes
and however often; a stretch that a router has not covered (a lost report, a router just started)
is filled with that router's own mean, as long as the router is taken to live. The rate is the
sum over routers. Times are the control loop's clock in seconds, passed in.

Invariants: a router's windows never overlap; no report raises; memory is bounded by the span,
the number of routers and the size of the sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite
from random import Random

from argus_core.measured import Work
from argus_core.planning.arrivals import Arrivals, Window
from argus_core.planning.bursts import Greatest, burst_of
from argus_core.planning.deadlines import Deadlines
from argus_core.planning.forecast import Count, forecast
from argus_core.planning.reservoir import RecentSample

_SLIVER = 1e-3
"""Share of a step below which what is left of the past is not a count of its own."""


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What a router saw within a window: what the plan needs of `argus.v1.LoadReport`."""

    router: str
    sequence: int
    """Rises with each report of a router; begins anew when the router does."""
    window_end: float
    window: float
    """Length, in seconds."""
    arrivals: int
    """Images asked for, refused ones included."""
    samples: Sequence[Sequence[float]] = ()
    """Quality by level of a uniform sample of the window's prompts."""
    work: Sequence[Work] = ()
    """What was drawn."""
    deadline: float = inf
    """Seconds that half of the requests had at most when they came; infinite where not told."""


class Verdict(StrEnum):
    """What became of a report."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"
    """Covers time that is covered already."""
    LATE = "late"
    """Of before the span that is looked at."""
    ABSURD = "absurd"
    """Cannot be true: not numbers, from the future, too many."""


@dataclass(frozen=True, kw_only=True)
class LoadRules:
    """How reports are read; times in seconds."""

    levels: int
    """Of the ladder: how many values a sample has."""
    step: float = 5.0
    """Counts are taken over stretches of this length."""
    span: float = 180.0
    """How far back is looked."""
    half_life: float = 20.0
    """Age at which a count counts for half."""
    alive: float = 30.0
    """A router that has not reported for so long is taken to be gone."""
    skew: float = 5.0
    """How far a router's clock may be ahead."""
    most_per_second: float = 1e5
    """Arrivals of one router; more is absurd."""
    sample_size: int = 200
    sample_half_life: float = 60.0
    """Age at which a sampled prompt is half as likely to stay."""
    burst_length: float = 10.0
    """Bursts that are shorter are no bursts: the deadline lets requests wait as long."""
    burst_memory: float = 1800.0
    """For so long a burst is remembered."""
    sample_age: float = 3600.0
    """Prompts older than this stand for nothing."""
    most_routers: int = 200
    """At once; reports of more are refused."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """What arrives."""

    rate: float
    """Images a second, now."""
    ahead: float
    """Images a second, at the time asked for."""
    deviation: float
    """Standard deviation of the error of `ahead`."""
    burstiness: float
    """Index of dispersion of the counts: 1 is Poisson. `PlanProblem.burstiness` may take it, as
    it equals the gaps' squared coefficient of variation where gaps are independent."""
    burst: float
    """Images a second in the greatest burst of late."""
    qualities: tuple[tuple[float, ...], ...]
    """Recent prompts by level, newer ones likelier."""
    age: float
    """Seconds since the end of the newest window."""
    routers: int
    """That are taken to live."""
    deadline: float = inf
    """Seconds that half of the requests have at most; infinite where not known."""

    def upper(self, deviations: float) -> float:
        """The rate ahead, so many standard deviations up: what to plan for."""
        return self.ahead + deviations * self.deviation


@dataclass
class _Router:
    sequence: int = -1
    heard: float = float("-inf")
    arrivals: Arrivals = field(default_factory=Arrivals)


class LoadEstimator:
    """Gathers reports; not safe for threads."""

    def __init__(self, rules: LoadRules, *, rng: Random) -> None:
        self._rules = rules
        self._routers: dict[str, _Router] = {}
        self._sample = RecentSample[tuple[float, ...]](
            size=rules.sample_size, half_life=rules.sample_half_life, rng=rng
        )
        self._bursts = Greatest(memory=rules.burst_memory)
        self._deadlines = Deadlines(half_life=rules.sample_half_life)
        self.verdicts: Counter[Verdict] = Counter()
        """How many reports became what."""
        self.samples_refused = 0
        """Samples of the wrong length, or outside 0 to 1."""

    def observe(self, report: LoadReport, now: float) -> Verdict:
        """Take in a report, in whatever order they come; never raises for what one says."""
        verdict = self._judge(report, now)
        self.verdicts[verdict] += 1
        if verdict is Verdict.TAKEN:
            router = self._routers.setdefault(report.router, _Router())
            router.arrivals.add(self._window(report), since=now - self._rules.span)
            router.sequence = report.sequence
            router.heard = max(router.heard, now)
            self._take_samples(report)
            self._deadlines.saw(report.deadline, report.arrivals, report.window_end)
            self._forget_gone(now)
        return verdict

    def estimate(self, now: float, *, ahead: float = 0.0) -> Load | None:
        """The load now and `ahead` seconds from now; None before the first report.

        A load whose `age` is great is still told: the planner holds its plan by it.
        """
        newest = max((r.arrivals.newest for r in self._routers.values()), default=None)
        if newest is None:
            return None
        counts = self._counts(newest, now)
        found = forecast(counts, ahead=now - newest + ahead, half_life=self._rules.half_life)
        if found is None:
            return None
        burst = self._bursts.of(burst_of(counts, self._rules.burst_length), now)
        return Load(
            rate=found.rate,
            ahead=found.ahead,
            deviation=found.deviation,
            burstiness=found.burstiness,
            burst=burst,
            qualities=tuple(self._sample.things(since=now - self._rules.sample_age)),
            age=max(0.0, now - newest),
            routers=sum(1 for r in self._routers.values() if self._lives(r, now)),
            deadline=self._deadlines.middle,
        )

    def lately(self, seconds: float, now: float) -> float:
        """Arrivals within so many seconds up to the newest report's end; 0 before the first."""
        newest = max((r.arrivals.newest for r in self._routers.values()), default=now)
        routers = self._routers.values()
        since = newest - seconds
        return sum(_arrivals(r, since, newest, lives=self._lives(r, now)) for r in routers)

    def _judge(self, report: LoadReport, now: float) -> Verdict:
        known = self._routers.get(report.router)
        crowded = known is None and len(self._routers) >= self._rules.most_routers
        if crowded or not self._is_credible(report, now):
            return Verdict.ABSURD
        if report.window_end <= now - self._rules.span:
            return Verdict.LATE
        if known is not None and known.arrivals.overlaps(self._window(report)):
            return Verdict.DUPLICATE
        return Verdict.TAKEN

    def _is_credible(self, report: LoadReport, now: float) -> bool:
        rules = self._rules
        return (  # written so that NaN fails
            isfinite(report.window_end)
            and report.window_end <= now + rules.skew
            and 0 < report.window <= rules.span
            and 0 <= report.arrivals <= rules.most_per_second * report.window
        )

    def _lives(self, router: _Router, now: float) -> bool:
        return now - router.heard <= self._rules.alive

    def _counts(self, newest: float, now: float) -> list[Count]:
        """All routers' arrivals in steps back from `newest`, as far as any report reaches."""
        rules = self._rules
        oldest = min(r.arrivals.first for r in self._routers.values())
        counts: list[Count] = []
        end = newest
        while end > max(oldest, newest - rules.span) + rules.step * _SLIVER:
            start = max(end - rules.step, oldest)
            arrivals = sum(
                _arrivals(r, start, end, lives=self._lives(r, now)) for r in self._routers.values()
            )
            age = newest - (start + end) / 2
            counts.append(Count(age=age, length=end - start, arrivals=arrivals))
            end = start
        return counts

    def _window(self, report: LoadReport) -> Window:
        """The report's window; of one whose router's clock was set back, what is new."""
        start, end = report.window_end - report.window, report.window_end
        known = self._routers.get(report.router)
        if known is not None and report.sequence > known.sequence:
            newest = known.arrivals.newest
            if start < newest < end:
                share = (end - newest) / report.window
                return Window(newest, end, report.arrivals * share)
        return Window(start, end, report.arrivals)

    def _take_samples(self, report: LoadReport) -> None:
        sane = [tuple(s) for s in report.samples if self._is_sane(s)]
        self.samples_refused += len(report.samples) - len(sane)
        for sample in sane:
            # A sample stands for as many prompts as came for each one sampled.
            weight = max(1.0, report.arrivals / len(sane))
            self._sample.add(sample, at=report.window_end, weight=weight)

    def _is_sane(self, sample: Sequence[float]) -> bool:
        return len(sample) == self._rules.levels and all(0 <= q <= 1 for q in sample)

    def _forget_gone(self, now: float) -> None:
        since = now - self._rules.span
        gone = [name for name, r in self._routers.items() if r.arrivals.newest <= since]
        for name in gone:
            del self._routers[name]


def _arrivals(router: _Router, start: float, end: float, *, lives: bool) -> float:
    """Arrivals within a stretch; what the router's reports leave out is filled with its mean."""
    arrivals, covered = router.arrivals.within(start, end)
    begins = max(start, router.arrivals.first)
    ends = end if lives else min(end, router.arrivals.newest)
    return arrivals + max(0.0, ends - begins - covered) * router.arrivals.rate
