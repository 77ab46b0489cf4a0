"""The control loop, without what it moves: reports of load in, plans out.

A plan is asked for when the load has moved since the last, workers came or went, were assigned by
hand, levels closed or were seen to take other seconds, or it has grown old. Running clusters and
the simulator use it alike.

Model: nothing here waits or knows the time, which is passed in, in seconds on one clock that never
goes back. Not safe for threads. Invariants:

- no plan is made while the load is not known, or was last reported too long ago;
- who is pinned is planned with, and never moved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from random import Random
from typing import NamedTuple

from argus_core.measured import Costs, Measured
from argus_core.planning.bursts import Greatest
from argus_core.planning.decide import decide
from argus_core.planning.leap import GLANCE, leap, nimble
from argus_core.planning.load import Load, LoadEstimator, LoadReport, LoadRules, Verdict
from argus_core.planning.plan import Plan
from argus_core.planning.posting import matched
from argus_core.planning.problem import (
    Holding,
    LevelProfile,
    Limits,
    PlanProblem,
    PoolBudget,
    Rules,
)
from argus_core.planning.reversals import Reversals
from argus_core.pricing import SHED_LOSS
from argus_core.spread import Loadout

_MARGIN = 1.0
"""Standard deviations of the forecast that are planned for."""
_MOVED = 0.1
"""Share by which the load must move for a new plan."""
_TURNS = 4
"""For so many turns after a change another must gain more."""
_SHED = 0.01
"""Share shed from which on workers are moved back and forth nevertheless."""
_SURE = 2.0
"""Standard deviations of the forecast by which it must move besides."""
_BURSTIEST = 4.0
"""Index of dispersion that is planned for at most."""
_GAP = 1e-3
"""Distance from the proven optimum; a fifth of what a new plan must gain to be taken."""
_BRIEFLY = 1.5
"""Turns for which a greater load is remembered where workers are nimble."""
_NEARER = 0.25
"""Share by which the deadlines that requests have must move for a new plan."""
_SHORTEST = 2.0
"""Times the quickest level's seconds: plans are made for no nearer deadline, however near."""
_OLD = 300.0
"""Seconds after which a plan is made anew whatever the load."""


class Held(NamedTuple):
    """What a worker holds or has been told to hold."""

    loadout: Loadout | None
    """None for one that is lost."""
    pinned: bool = False
    """Whether it shall keep that whatever the load."""


Crew = Mapping[str, Sequence[Held]]
"""By pool: its workers, in an order that stays."""


@dataclass(frozen=True, kw_only=True)
class ControlRules:
    """What a loop is made for; times in seconds."""

    levels: tuple[LevelProfile, ...]
    """The ladder, from dearest to cheapest."""
    pools: tuple[PoolBudget, ...]
    """Sizes and loadouts; who is lost or pinned is told with each turn."""
    deadline: float
    """From arrival until the image is there: the SLO. Plans are made for what requests are seen to
    have, where that is less."""
    target: float
    """Share of requests that must meet it, between 0 and 1."""
    interval: float
    """Between two turns."""
    switch_seconds: Mapping[str, float] = field(default_factory=dict)
    """GPU time lost when a worker loads a variant; 0 where not named."""
    rate: float = 0.0
    """Images a second to expect at first."""
    sample: Sequence[Sequence[float]] = ()
    """Qualities by level of prompts to expect at first."""
    keep: int = 0
    """Workers that every variant keeps, unless more than 1 % would be shed for that."""
    limits: Mapping[str, Limits] = field(default_factory=dict)
    """By variant: workers that it keeps in place of `keep`, and what it never exceeds."""
    weighed: bool = False
    """Whether plans tell what others would have cost."""
    steady: float = 180.0
    """A load that has fallen is planned for when it has been low for so long."""
    minimum_gain: float = 0.005
    """What a new plan must gain over the standing one, in mean quality."""
    young_gain: float = 0.03
    """What it must gain that soon follows another: a plan may live for some turns."""
    shed_loss: float = SHED_LOSS
    """What refusing a request costs, in quality; above 1."""


class ControlLoop:
    """Hears of the load and plans."""

    def __init__(
        self, rules: ControlRules, *, rng: Random, clock: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`clock` bounds the search for a plan; one that stands lets it end."""
        self._rules, self._clock = rules, clock
        self._estimator = LoadEstimator(
            LoadRules(
                levels=len(rules.levels),
                step=max(1.0, rules.interval / 2),
                burst_length=max(rules.deadline, rules.interval / 2),
            ),
            rng=rng,
        )
        self._variants = tuple(dict.fromkeys(level.variant for level in rules.levels))
        self._planned_at = self._changed = -inf
        self._planned_for: tuple[object, ...] = ()
        self._reversals = Reversals(memory=(_TURNS - 0.5) * rules.interval)
        self._greatest = Greatest(memory=max(rules.steady, _TURNS * rules.interval))
        self._recent = Greatest(memory=min(rules.steady, _BRIEFLY * rules.interval))
        self._nimble = nimble(rules.switch_seconds, rules.deadline)
        self._hurry = Greatest(memory=max(rules.steady, _TURNS * rules.interval))
        """One by the seconds that requests have: a nearer deadline is believed at once."""
        self.deadline = rules.deadline
        """Seconds from arrival that plans are made for."""
        self.measured = Measured({level.name: level.seconds for level in rules.levels})
        """What levels take by what was drawn."""
        self.plan: Plan | None = None
        """The last one made."""
        self.rate = rules.rate
        """Images a second that the plan was made for."""
        self.expected = rules.rate
        """Images a second that are the likeliest."""
        self.burstiness = 1.0
        self.burst = 0.0
        """Images a second that the workers should be able to carry."""
        self.sample = rules.sample

    @property
    def prices(self) -> list[float]:
        """The plan's, by variant in the ladder's order; infinite where nobody holds it."""
        allocations = self.plan.allocations if self.plan else ()
        return [
            min((a.price for a in allocations if v in a.loadout), default=inf)
            for v in self._variants
        ]

    def begin(self, costs: Costs) -> Plan:
        """Plan for what is expected at first, for workers of whom none holds anything yet."""
        nobody: Crew = {pool.name: () for pool in self._rules.pools}
        return self._decide(self._problem(nobody, costs, self._rules.switch_seconds), 0.0)

    def observe(self, report: LoadReport, now: float) -> None:
        """Take in what a router saw."""
        if self._estimator.observe(report, now) is Verdict.TAKEN:
            self.measured.saw(report.work)

    @property
    def glance(self) -> float | None:
        """Seconds after which to look for a leap of the load; None where that is of no use."""
        return GLANCE * self._rules.interval if self._nimble else None

    def leapt(self, now: float) -> float:
        """Images a second of late, where they surely are more than is planned for; 0 elsewhere.

        A turn is then wanted at once. Always 0 where workers are not nimble.
        """
        if (glance := self.glance) is None:
            return 0.0
        return leap(lambda seconds: self._estimator.lately(seconds, now), self.rate, glance)

    def turn(
        self,
        crew: Crew,
        costs: Costs,
        now: float,
        *,
        switch_seconds: Mapping[str, float] | None = None,
    ) -> Plan | None:
        """Plan where something has moved; None to leave all as it is.

        Args:
            crew: the workers of every pool.
            costs: of the levels now, as stated; `measured` tells what takes their place.
            now: seconds.
            switch_seconds: as measured lately; None for those of the rules.
        """
        switches = self._rules.switch_seconds if switch_seconds is None else switch_seconds
        self._nimble = nimble(switches, self._rules.deadline)
        # Until a worker that is told at the next turn may serve.
        reaction = self._rules.interval + max(switches.values(), default=0.0)
        load = self._estimator.estimate(now, ahead=reaction)
        if load is None or not load.qualities or load.age > Rules.stale_after:
            return None
        self.expected = load.rate
        renewed, state = self.measured.turn(now), (_kept(crew), _closed(costs))
        renewed = self._meet(load.deadline, costs, now) or renewed
        leapt = self.leapt(now)
        upper = max(load.upper(_MARGIN), leapt)
        greatest, recent = self._greatest.of(upper, now), self._recent.of(upper, now)
        wanted = recent if self._nimble else greatest
        sure = 0.0 if leapt == wanted else _SURE * load.deviation
        moved = abs(wanted - self.rate) > max(_MOVED * self.rate, sure)
        same = state == self._planned_for and not (moved or renewed)
        if same and now - self._planned_at < _OLD:
            return None
        self._planned_at, self._planned_for = now, state
        self._take(load)
        if moved:
            self.rate = wanted
        names = [level.name for level in self._rules.levels]
        believed = self.measured.costs(names, costs)
        self.measured.planned()
        plan = self._decide(self._problem(crew, believed, switches), now)
        if notes := [note for note in (self.measured.told(), self._hurried()) if note]:
            self.plan = plan = replace(plan, reason="; ".join([plan.reason, *notes]))
        return plan

    def _meet(self, deadline: float, costs: Costs, now: float) -> bool:
        """Plan for the deadline that requests have, where it is nearer than the promised one.

        Returns whether it has moved; a nearer one does so at once, one that is farther late.
        """
        quickest = min((s for cost in costs for s in cost.values() if s < inf), default=0.0)
        promised = self._rules.deadline
        nearest = min(promised, max(deadline, _SHORTEST * quickest))
        found = 1 / self._hurry.of(1 / nearest, now)
        if abs(found - self.deadline) <= _NEARER * self.deadline:
            return False
        self.deadline = found
        return True

    def _hurried(self) -> str:
        """Whether plans are made for another deadline than the promised one, in words."""
        if self.deadline >= self._rules.deadline:
            return ""
        return (
            f"made for the {self.deadline:.3g} s that half of the requests have at most, "
            f"not for the {self._rules.deadline:.3g} s promised"
        )

    def _take(self, load: Load) -> None:
        # A step of the load looks like a burst; beyond this the model of the queue says nothing.
        self.burstiness = min(max(1.0, load.burstiness), _BURSTIEST)
        self.burst = load.burst
        self.sample = load.qualities

    def _decide(self, problem: PlanProblem, now: float) -> Plan:
        young = now - self._changed < _TURNS * self._rules.interval
        rules = self._rules
        gain = max(rules.minimum_gain, rules.young_gain) if young else rules.minimum_gain
        judged = replace(problem.rules, minimum_gain=gain)
        problem = replace(problem, rules=judged, limits=_roomy(self._limits(now), problem))
        plan = decide(problem, clock=self._clock, weighed=self._rules.weighed)
        if problem.limits and plan.expected_shed > _SHED:
            most = {
                v: replace(limits, minimum=0)
                for v, limits in self._rules.limits.items()
                if limits.maximum is not None
            }
            bare = replace(problem, limits=_roomy(most, problem))
            plan = decide(bare, clock=self._clock, weighed=self._rules.weighed)
        self.plan = plan
        if plan.moves:
            self._changed = now
        self._reversals.took(
            {v: sum(a.workers for a in plan.allocations if v in a.loadout) for v in self._variants},
            now,
        )
        return plan

    def _limits(self, now: float) -> dict[str, Limits]:
        """No reversals, and what every variant keeps."""
        rules, reversals = self._rules, self._reversals.limits(now)
        if not rules.keep and not rules.limits:
            return reversals
        stated = Limits(minimum=rules.keep)
        return {
            v: _both(rules.limits.get(v, stated), reversals.get(v, Limits()))
            for v in self._variants
        }

    def _problem(
        self, crew: Crew, costs: Costs, switch_seconds: Mapping[str, float]
    ) -> PlanProblem:
        rules = self._rules
        return PlanProblem(
            rules=Rules(
                deadline=self.deadline,
                target=rules.target,
                shed_loss=rules.shed_loss,
                gap=_GAP,
            ),
            levels=tuple(
                LevelProfile(name=level.name, variant=level.variant, seconds=self._able(cost))
                for level, cost in zip(rules.levels, costs, strict=True)
            ),
            pools=tuple(
                replace(
                    pool,
                    unavailable=sum(held.loadout is None for held in crew[pool.name]),
                    pinned=_counts(held.loadout for held in crew[pool.name] if held.pinned),
                )
                for pool in rules.pools
            ),
            qualities=self.sample,
            rate=self.rate,
            burstiness=self.burstiness,
            burst=self.burst,
            standing=tuple(
                Holding(pool=pool.name, loadout=loadout, workers=workers)
                for pool in rules.pools
                for loadout, workers in _counts(h.loadout for h in crew[pool.name]).items()
            ),
            switch_seconds=switch_seconds,
        )

    def _able(self, cost: Mapping[str, float]) -> dict[str, float]:
        """Seconds by GPU type; a closed level's are beyond every deadline."""
        return {gpu: min(s, 10 * self.deadline) for gpu, s in cost.items()}


def duties(plan: Plan, crew: Crew) -> dict[str, list[Loadout]]:
    """What every worker shall hold by a plan, by pool; a pool that is lost whole is left out.

    Workers keep what they hold wherever the plan has room for that, and pinned ones in any case.
    A lost worker is given what nobody else is.
    """
    found: dict[str, list[Loadout]] = {}
    for pool, workers in crew.items():
        wanted = {a.loadout: a.workers for a in plan.allocations if a.pool == pool}
        if not wanted:
            continue
        for loadout, count in _counts(h.loadout for h in workers if h.pinned).items():
            wanted[loadout] = max(0, wanted.get(loadout, 0) - count)
        keeps = [held.loadout if held.pinned else None for held in workers]
        others = [h.loadout for h, kept in zip(workers, keeps, strict=True) if kept is None]
        free = iter(matched(others, wanted))
        found[pool] = [next(free) if kept is None else kept for kept in keeps]
    return found


def _counts(loadouts: Iterable[Loadout | None]) -> dict[Loadout, int]:
    """How often each occurs; lost workers are left out."""
    return dict(Counter(loadout for loadout in loadouts if loadout is not None))


def _roomy(limits: Mapping[str, Limits], problem: PlanProblem) -> dict[str, Limits]:
    """The limits, with room for workers that are pinned: those hold what they hold anyway."""
    pinned = Counter[str]()
    for pool in problem.pools:
        for loadout, workers in pool.pinned.items():
            pinned.update(dict.fromkeys(loadout, workers))
    return {
        variant: limit
        if limit.maximum is None
        else replace(limit, maximum=max(limit.maximum, pinned[variant]))
        for variant, limit in limits.items()
    }


def _both(stated: Limits, limits: Limits) -> Limits:
    """The limits and those that are stated; a stated minimum only where the maximum allows it."""
    bounds = [m for m in (stated.maximum, limits.maximum) if m is not None]
    maximum = min(bounds, default=None)
    minimum = max(stated.minimum, limits.minimum)
    if maximum is not None and minimum > maximum:
        minimum = min(limits.minimum, maximum)
    return Limits(minimum=minimum, maximum=maximum)


def _kept(crew: Crew) -> tuple[object, ...]:
    """Who is lost, and who is pinned to what."""
    return tuple(
        (pool, tuple((h.loadout is None, h.loadout if h.pinned else None) for h in workers))
        for pool, workers in crew.items()
    )


def _closed(costs: Costs) -> tuple[bool, ...]:
    return tuple(min(cost.values()) == inf for cost in costs)
